"""What people ask of finished runs: functions of reports alone, without a guest or a file."""
