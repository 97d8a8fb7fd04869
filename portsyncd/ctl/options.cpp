// SPDX-License-Identifier: Apache-2.0
#include "ctl/options.hpp"

#include <portsync/version.hpp>
#include <utility>

// g++ 12 gives a false warning about CLI11's own vector of strings when it inlines the code.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnull-dereference"
#include <CLI/CLI.hpp>
#pragma GCC diagnostic pop

#include "base/runtime_directory.hpp"
#include "ctl/exit_status.hpp"
#include "faces/socket/control_socket.hpp"

namespace portsyncctl {
namespace {

constexpr auto footer =
    "Environment: PORTSYNCCTL_SOCKET  the socket, as --socket does; NO_COLOR  no colour\n"
    "Exit status: 0 done, 1 portsyncd refused or failed, 2 bad command line, 3 no such port, 4 portsyncd does not\n"
    "             answer, 5 access denied; of health: 0 healthy, 10 degraded, 11 unhealthy\n"
    "More:        man 1 portsyncctl";

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  CLI::App app("Shows the state of portsyncd, and gives it commands.", "portsyncctl");
  app.fallthrough();  // options may come after the command
  options.socket = std::string(portsyncd::default_runtime_directory) + "/" + portsyncd::control_socket_name;
  app.add_flag("--json", options.json, "print JSON: one document; monitor prints one a line");
  app.add_option("--socket", options.socket, "portsyncd's control socket (default: " + options.socket + ")")
      ->envname("PORTSYNCCTL_SOCKET")
      ->type_name("PATH");
  app.add_option("--color", options.color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
  const auto add = [&](Command command, const char* name, const char* description) {
    auto* added = app.add_subcommand(name, description);
    added->callback([&options, command] { options.command = command; });
    return added;
  };
  add(Command::status, "status", "a short status; the default command");
  add(Command::ports, "ports", "the ports, all or those that match a shell pattern")
      ->add_option("PATTERN", options.argument, "as in \"Ethernet1*\"")
      ->type_name("");
  add(Command::port, "port", "everything about one port")
      ->add_option("NAME", options.argument, "its name")
      ->required()
      ->type_name("");
  add(Command::monitor, "monitor", "show changes as they happen");
  add(Command::health, "health", "the verdict and its last 100 changes");
  add(Command::stats, "stats", "portsyncd's counters");
  add(Command::resync, "resync", "list all links of the kernel again")
      ->add_flag("--force", options.force, "also remove rows without a link when no link has ever matched");
  add(Command::audit, "audit", "read all rows back, compare and repair them");
  add(Command::reload, "reload", "read the configuration again, as SIGHUP does");
  add(Command::log_level, "log-level", "set the log level until the next reload or restart")
      ->add_option("LEVEL", options.argument, "trace, debug, info, warn, error, critical or off")
      ->required()
      ->type_name("");
  app.require_subcommand(0, 1);
  app.set_help_flag("-h,--help", "show this help and exit");
  app.set_version_flag("--version", std::string("portsyncctl ") + PORTSYNC_VERSION, "show the version and exit");
  app.footer(footer);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_done : exit_usage;
  }
  return std::nullopt;
}

}  // namespace portsyncctl
