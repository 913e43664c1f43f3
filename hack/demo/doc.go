// Package demo runs the whole of Lanyard on a local cluster and tells its story.
//
// It owns three things:
//
//   - what runs: [Start] builds the programs, starts the cluster of hack/cluster, installs
//     Lanyard on it as a platform team would, and runs controller, issuer and an orders API
//     beside it. Calling it again starts what has died and changes nothing else;
//   - the story: [Demo.Tell] goes through a table of steps. Each says what was done, as a line
//     that a person could type, and what was seen, and checks it;
//   - what stays: everything keeps running, and a file to source says how to go on.
//
// All that the story does to the cluster goes through kubectl, as the person who would do it,
// and all it asks of issuer and API is a request that it prints as a curl line: what the reader
// sees is what happened.
package demo
