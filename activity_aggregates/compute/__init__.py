"""What a run looks at, reads and computes, compared with what is stored."""
