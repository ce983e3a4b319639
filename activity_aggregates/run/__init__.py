"""The one way of a run: what it looks at, reads, computes, compares, stages and applies."""
