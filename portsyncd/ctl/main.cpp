// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

#include "ctl/answer.hpp"
#include "ctl/daemon_socket.hpp"
#include "ctl/error.hpp"
#include "ctl/exit_status.hpp"
#include "ctl/options.hpp"
#include "ctl/report.hpp"
#include "ctl/shown.hpp"

namespace portsyncctl {
namespace {

bool wants_colour(const Options& options) {
  if (options.color != "auto") return options.color == "always";
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  return ::isatty(STDOUT_FILENO) != 0 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

Style style_of(const Options& options) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {wants_colour(options), std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
          ::isatty(STDOUT_FILENO) != 0};
}

// Prints the text. Returns false if standard output has no reader any more, which is no error.
bool print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return true;
  if (errno == EPIPE) return false;
  throw Error(exit_failed, std::string("cannot write to standard output: ") + std::system_category().message(errno));
}

int monitor(DaemonSocket& daemon, const Options& options) {
  while (const auto line = daemon.event()) {
    if (!print(options.json ? event_document(*line) : report(read_event(*line), style_of(options)))) break;
  }
  return exit_done;
}

int health_status(const Health& health) {
  if (health.verdict == "Healthy") return exit_done;
  return health.verdict == "Degraded" ? exit_degraded : exit_unhealthy;
}

std::string text_of(const std::string& line, const Options& options) {
  switch (options.command) {
    case Command::status:
      return report(read_status(line), style_of(options));
    case Command::ports:
      return report(read_ports(line), style_of(options));
    case Command::port:
      return report(read_port(line), style_of(options));
    case Command::health:
      return report(read_health(line), style_of(options));
    case Command::stats:
      return report(read_counters(line), style_of(options));
    case Command::resync:
      return "A new listing of the links is on its way.\n";
    case Command::audit:
      return "All rows are read back, compared and repaired.\n";
    case Command::reload:
      return "The configuration has been read; the log says what has changed.\n";
    case Command::log_level:
      return "The log has another level until the next reload or restart.\n";
    case Command::monitor:
      break;
  }
  return "";
}

int run(const Options& options) {
  DaemonSocket daemon(options.socket);
  daemon.send(request_line(options));
  const std::string line = daemon.answer();
  check(line);
  if (options.command == Command::monitor) return monitor(daemon, options);
  const bool no_match = options.command == Command::ports && !options.argument.empty() && read_ports(line).empty();
  if (no_match && !options.json) {
    throw Error(exit_no_such_port, "no port matches \"" + shown(options.argument) + "\"");
  }
  if (!print(options.json ? result_document(line) : text_of(line, options))) return exit_done;
  if (options.command == Command::health) return health_status(read_health(line).health);
  return no_match ? exit_no_such_port : exit_done;
}

}  // namespace
}  // namespace portsyncctl

int main(int argc, char** argv) {
  try {
    portsyncctl::Options options;
    if (const auto status = portsyncctl::parse_options(argc, argv, options)) return *status;
    return portsyncctl::run(options);
  } catch (const portsyncctl::Error& error) {
    std::fprintf(stderr, "portsyncctl: %s\n", error.what());
    return error.status();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "portsyncctl: %s\n", error.what());
    return portsyncctl::exit_failed;
  }
}
