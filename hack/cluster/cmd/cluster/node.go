package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

func buildNode(ctx context.Context, c call) error {
	built, err := cluster.BuildNode(ctx, c.stderr)
	if err == nil {
		fmt.Fprintln(c.stderr, "the node is built:", built.NodeDir)
	}
	return err
}

func missingPackages(_ context.Context, c call) error {
	for _, name := range cluster.MissingPackages() {
		fmt.Fprintln(c.stdout, name)
	}
	return nil
}

func node(ctx context.Context, c call) error {
	begun := time.Now()
	built, err := cluster.BuildNode(ctx, c.stderr) // outside its network, which has no way to the modules
	if err != nil {
		return err
	}
	if err := cluster.EnterNode(ctx, c.state); err != nil {
		return err
	}
	started, err := cluster.StartNode(ctx, cluster.NodeOptions{StateDir: c.state, Assets: built, Progress: c.stderr})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "the node is ready after %s\n", time.Since(begun).Round(10*time.Millisecond))
	fmt.Fprintln(c.stdout, started.Kubectl())
	return nil
}

func importImage(ctx context.Context, c call) error {
	if err := cluster.EnterNode(ctx, c.state); err != nil {
		return err
	}
	node, err := cluster.LoadNode(c.state)
	if err != nil {
		return err
	}
	if err := node.Import(ctx, c.name); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%s is imported into the node\n", c.name)
	return nil
}

func removeNode(ctx context.Context, c call) error {
	if err := cluster.RemoveNode(ctx, c.state); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "nothing is left of the node in %s\n", c.state)
	return nil
}
