#include "load/options.hpp"
#include "load/run.hpp"
#include "runtime/certs.hpp"
#include "runtime/chat.hpp"
#include "runtime/check.hpp"
#include "runtime/cluster_commands.hpp"
#include "runtime/doctor.hpp"
#include "runtime/dump.hpp"
#include "runtime/init.hpp"
#include "runtime/node.hpp"
#include "runtime/node_auth.hpp"
#include "runtime/passwd.hpp"
#include "runtime/push_command.hpp"
#include "runtime/serve.hpp"
#include "runtime/token_command.hpp"
#include "runtime/version.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

namespace {

/// Reads the command line and does what it says.
int run(int argc, char** argv) {
  namespace runtime = vartalap::runtime;
  runtime::prepare_signals();
  CLI::App app("vartalap delivers chat messages: what it has confirmed "
               "arrives.");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(runtime::version));

  runtime::serve_request serve;
  auto* serve_cmd = app.add_subcommand("serve", "Run a node");
  runtime::add_serve_options(*serve_cmd, serve);

  runtime::init_request init;
  auto* begin_cmd = app.add_subcommand(
    "init", "Write a cluster.toml with the secrets that it needs");
  runtime::add_init_options(*begin_cmd, init);

  runtime::check_request check;
  auto* check_cmd = app.add_subcommand(
    "check", "Say what is wrong with a cluster.toml, and how to mend it");
  check_cmd->add_option("--config", check.config, "The cluster's file")
    ->capture_default_str();
  check_cmd->add_flag("--defaults", check.defaults,
                      "Print every key with its default and a comment");

  check.look_at_files = runtime::auth_file_problems;

  runtime::doctor_request doctor;
  auto* doctor_cmd = app.add_subcommand(
    "doctor", "Look at this machine for a node: limits, clock, disk, "
              "permissions, ports, certificates; exits 1 where something is "
              "to be mended, and says how");
  runtime::add_doctor_options(*doctor_cmd, doctor);

  runtime::token_request token;
  auto* token_cmd = app.add_subcommand(
    "token", "Print a token for a user, where auth.mode is \"jwt\"");
  runtime::add_token_options(*token_cmd, token);

  std::string new_user;
  auto* passwd_cmd = app.add_subcommand(
    "passwd", "Read a password; print a line for auth.login.users_file");
  passwd_cmd->add_option("USER", new_user, "Whose password it is")->required();

  runtime::cluster_request cluster;
  auto* cluster_cmd = app.add_subcommand(
    "cluster", "Look at a cluster of several nodes, and change it");
  cluster_cmd->require_subcommand(1);
  auto* status_cmd = cluster_cmd->add_subcommand(
    "status", "Show nodes, links, homes and missing copies; exits 1 where "
              "something is to be looked at");
  runtime::add_cluster_options(*status_cmd, cluster);
  auto* reload_cmd = cluster_cmd->add_subcommand(
    "reload", "Have the nodes read the member list of the file again: it is "
              "in force once all have");
  runtime::add_cluster_options(*reload_cmd, cluster);
  auto* drain_cmd
    = app.add_subcommand("drain", "Have a node hand over everything and end");
  runtime::add_cluster_options(*drain_cmd, cluster);
  auto* top_cmd
    = app.add_subcommand("top", "Show what all nodes do, again and again");
  runtime::add_cluster_options(*top_cmd, cluster);
  top_cmd->add_option("--every", cluster.every, "Seconds between two pictures")
    ->capture_default_str();
  top_cmd->add_option("--times", cluster.times,
                      "How many pictures; 0: until it is ended");

  runtime::certs_request certs;
  auto* certs_cmd = app.add_subcommand(
    "certs", "Make the certificates with which nodes know each other");
  certs_cmd->require_subcommand(1);
  auto* init_cmd
    = certs_cmd->add_subcommand("init", "Make the cluster's own authority");
  auto* node_cmd
    = certs_cmd->add_subcommand("node", "Make a node's certificate and key");
  node_cmd->add_option("NAME", certs.node, "As in cluster.toml")->required();
  node_cmd->add_option("--days", certs.days, "How long it is good")
    ->capture_default_str();
  for (auto* each : {init_cmd, node_cmd}) {
    each->add_option("--dir", certs.directory, "Folder of all of them")
      ->capture_default_str();
    each->add_flag("--force", certs.force, "Replace what is there");
  }

  runtime::push_request push;
  auto* push_cmd
    = app.add_subcommand("push", "Try how users are woken (docs/push.md)");
  runtime::add_push_options(*push_cmd, push);

  std::string data;
  std::string target;
  auto* backup_cmd = app.add_subcommand(
    "backup", "Copy a node's data to a new folder while it runs");
  backup_cmd->add_option("DATA", data, "The node's data folder")->required();
  backup_cmd->add_option("TARGET", target, "A folder that does not exist yet")
    ->required();
  auto* verify_cmd
    = app.add_subcommand("verify", "Check every record of a node's data");
  verify_cmd->add_option("DATA", data, "The node's data folder")->required();

  auto* dump_cmd
    = app.add_subcommand("dump", "List the messages, devices and removals in a "
                                 "node's data, to compare nodes");
  dump_cmd->add_option("DATA", data, "The node's data folder")->required();

  vartalap::load::load_options load;
  auto* load_cmd
    = app.add_subcommand("load", "Load a server with simulated users");
  vartalap::load::add_load_options(*load_cmd, load);

  runtime::chat_options chat;
  auto* chat_cmd = app.add_subcommand("chat", "Chat in the terminal");
  runtime::add_chat_options(*chat_cmd, chat);

  CLI11_PARSE(app, argc, argv)
  if (serve_cmd->parsed())
    return runtime::run_serve(serve);
  if (begin_cmd->parsed())
    return runtime::run_init(init, std::cout, std::cerr);
  if (check_cmd->parsed())
    return runtime::run_check(check, std::cout, std::cerr);
  if (doctor_cmd->parsed())
    return runtime::run_doctor(doctor, std::cout, std::cerr);
  if (token_cmd->parsed())
    return runtime::run_token(token, std::cout, std::cerr);
  if (passwd_cmd->parsed())
    return runtime::run_passwd(new_user, std::cin, std::cout, std::cerr);
  if (init_cmd->parsed())
    return runtime::run_certs_init(certs);
  if (node_cmd->parsed())
    return runtime::run_certs_node(certs);
  if (status_cmd->parsed())
    return runtime::run_cluster_status(cluster);
  if (reload_cmd->parsed())
    return runtime::run_cluster_reload(cluster);
  if (drain_cmd->parsed())
    return runtime::run_drain(cluster);
  if (top_cmd->parsed())
    return runtime::run_top(cluster);
  if (push_cmd->parsed())
    return runtime::run_push(push);
  if (backup_cmd->parsed())
    return runtime::run_backup(data, target);
  if (verify_cmd->parsed())
    return runtime::run_verify(data);
  if (dump_cmd->parsed())
    return runtime::run_dump(data, std::cout, std::cerr);
  if (load_cmd->parsed())
    return vartalap::load::run_load(load);
  return runtime::run_chat(chat);
}

} // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "vartalap: %s\n", problem.what());
    return 1;
  }
}
