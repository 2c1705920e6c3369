"""`invoke bench`: what a cell costs, against a bare boot of the same kernel, pair by pair."""
