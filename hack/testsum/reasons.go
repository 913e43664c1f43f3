package main

import (
	"regexp"
	"strings"
)

// How much of a failed test's output the end says again: those who see only the last lines of a
// run, as in the log of a build server, need the reason more than what was collected after it.
const (
	maxMessages     = 6
	maxMessageLines = 6
	maxLineBytes    = 300
)

// message is how the testing package begins what a test says: "    story_test.go:40: ".
var message = regexp.MustCompile(`^    \S+\.go:\d+: `)

// reasons are the last messages of a failed test, each shortened.
func reasons(output string) []string {
	var messages [][]string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		switch last := len(messages) - 1; {
		case message.MatchString(line):
			messages = append(messages, []string{shortened(line[4:])})
		case last < 0 || !strings.HasPrefix(line, "        "): // not what a message goes on with
		case len(messages[last]) < maxMessageLines:
			messages[last] = append(messages[last], shortened(line[4:]))
		}
	}
	var lines []string
	for _, m := range messages[max(0, len(messages)-maxMessages):] {
		lines = append(lines, m...)
	}
	return lines
}

func shortened(line string) string {
	if len(line) <= maxLineBytes {
		return line
	}
	return strings.ToValidUTF8(line[:maxLineBytes], "") + "…"
}
