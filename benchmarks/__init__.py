"""Speed, measured by pytest-benchmark; in ordinary runs each case runs once as a test."""
