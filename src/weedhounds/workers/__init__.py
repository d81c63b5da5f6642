"""Job processes for CPU work, behind the ``concurrent.futures.Executor`` interface."""
