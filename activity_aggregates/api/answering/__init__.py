"""What is answered: who may see it, which reads that takes, and the result they make."""
