package image

import (
	"debug/elf"
	"fmt"
)

// static answers an error for a program that needs more than itself to run: an image of it would
// fail with "no such file", and nobody would see why.
func static(file string) error {
	program, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("image: %s is no Linux program: %w", file, err)
	}
	defer func() { _ = program.Close() }()
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("image: %s is linked dynamically: build it with CGO_ENABLED=0", file)
		}
	}
	return nil
}
