// SPDX-License-Identifier: Apache-2.0
#include "config/options.hpp"

#include <portsync/version.hpp>

// g++ 12 gives a false warning about CLI11's own vector of strings when it inlines the code.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnull-dereference"
#include <CLI/CLI.hpp>
#pragma GCC diagnostic pop

#include "base/exit_status.hpp"

namespace portsyncd {
namespace {

constexpr auto footer =
    "Environment: PORTSYNCD_<SECTION>_<KEY> overrides the file, as in PORTSYNCD_DATABASE_REDIS_PORT=6380; so do\n"
    "             REDIS_HOST, REDIS_PORT, RUST_LOG and PORTSYNCD_LOG_LEVEL. Options override both.\n"
    "Signals:     TERM, INT  store pending rows for at most 5 s, and exit; a second one exits at once (128 + signal)\n"
    "             HUP        read the configuration again; if any of it is invalid, nothing changes\n"
    "             USR1       log the statistics\n"
    "Exit status: 0 clean, 78 bad configuration or command line, 69 an error that a restart cannot fix\n"
    "More:        man 8 portsyncd, man 5 portsyncd.conf";

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  CLI::App app("Keeps SONiC's STATE_DB equal to the kernel's ports.", "portsyncd");
  std::string config;
  std::string checked;
  std::string level;
  auto* config_option =
      app.add_option("-c,--config", config, std::string("configuration file (default: ") + default_config_file + ")")
          ->type_name("FILE");
  auto* check_option = app.add_option("--check-config,--validate-config", checked,
                                      "check FILE, or the file of --config, or the default one, and exit")
                           ->type_name("[FILE]")
                           ->expected(0, 1);
  app.add_flag("--strict", options.strict, "with --check-config: a warning is an error")->needs(check_option);
  app.add_flag("--show-config", options.show_config, "print every key with its value and its origin, and exit");
  auto* level_option =
      app.add_option("--log-level", level, "trace, debug, info, warn, error, critical or off")->type_name("LEVEL");
  app.add_flag("--json-lines", options.json_lines,
               "write rows to standard output, one JSON object a line, and not to Redis");
  app.set_help_flag("-h,--help", "show this help and exit");
  app.set_version_flag("--version", std::string("portsyncd ") + portsync::version(), "show the version and exit");
  app.get_formatter()->column_width(36);
  app.footer(footer);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_clean : exit_config;
  }
  options.check_config = check_option->count() > 0;
  if (config_option->count() > 0) options.config_file = config;
  if (!checked.empty()) options.config_file = checked;
  if (level_option->count() > 0) options.log_level = level;
  return std::nullopt;
}

}  // namespace portsyncd
