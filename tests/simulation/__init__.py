"""Lives of a task under virtual time: everything between ``execute()`` and the task's end, with faults by chance."""
