package main

// writeReferences writes the pages about the values.
func writeReferences() error { return nil }
