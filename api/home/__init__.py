"""Reports from home: the links that patients answer by, and what an answer becomes."""
