"""Inputs that nobody should send: drawn by a seed, and either taken or refused in a sentence, whatever they are."""
