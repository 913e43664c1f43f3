package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Ports are taken from below the range that the kernel gives to outgoing connections: a port
// must still be free when the process that has it was killed and comes back.
const (
	firstPort = 20000
	endPort   = 30000
	portTries = 200
)

// Port returns the loopback port of that name in a state folder. It is chosen once, free at
// the time, and kept in <state>/ports.json, so that what was told of it stays true.
func Port(stateDir, name string) (int, error) {
	return keptPort(filepath.Join(stateDir, "ports.json"), name, func() int {
		return firstPort + rand.IntN(endPort-firstPort)
	}, portIsFree)
}

// keptPort returns the port that stands in the file, or else chooses one and writes it there.
func keptPort(file, name string, candidate func() int, free func(port int) bool) (int, error) {
	ports := map[string]int{}
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err == nil {
		if err := json.Unmarshal(data, &ports); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	if port, kept := ports[name]; kept {
		return port, nil
	}
	taken := map[int]bool{}
	for _, port := range ports {
		taken[port] = true
	}
	for range portTries {
		port := candidate()
		if taken[port] || !free(port) {
			continue
		}
		ports[name] = port
		data, err := json.MarshalIndent(ports, "", "  ")
		if err != nil {
			return 0, err
		}
		return port, writeFileAtomically(file, append(data, '\n'))
	}
	return 0, fmt.Errorf("no free loopback port for %s between %d and %d", name, firstPort, endPort)
}

// loopback is the address of a local port.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func portIsFree(port int) bool {
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
