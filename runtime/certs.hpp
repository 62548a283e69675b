#pragma once

#include <string>

/// The cluster's own certificates: a small authority, for nothing else, and one
/// certificate a node.
namespace vartalap::runtime {

struct certs_request {
  std::string directory = "certs";
  std::string node;    ///< name, for a node's certificate
  unsigned days = 825; ///< how long a node's certificate is good
  bool force = false;  ///< replace what is there
};

/// The files alone, without a word: see the commands below. Blocks on the disk.
/// @throws std::runtime_error with a text for the operator.
void make_authority(const certs_request& request);
void make_node_certificate(const certs_request& request);

/// Makes `ca.pem` and `ca.key` (EC P-256, 10 years) in the directory, which is
/// made where it is missing, and says what to do next.
/// @returns 0; 1 with a text on standard error: what is there is not replaced,
///          or cannot be written.
int run_certs_init(const certs_request& request);

/// Makes `NODE.pem` and `NODE.key`, signed by that authority; the certificate
/// names the node (SAN) and is good for both ends of a link.
int run_certs_node(const certs_request& request);

} // namespace vartalap::runtime
