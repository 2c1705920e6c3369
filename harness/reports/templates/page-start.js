// Begin.

prepareTheme();
prepareCommands();
if (table) {
  readTable();
  prepareTable(refresh);
  prepareToolbar();
  listenToKeys();
  refresh();
  addEventListener("hashchange", followAddress);
  followAddress();
}
document.documentElement.dataset.ready = "true";
