"""Claude through the official SDK: jobs of rows, answered once each, kept as they arrive. Knows nothing of studies."""
