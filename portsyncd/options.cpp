// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <portsync/version.hpp>

// g++ 12 takes fright at CLI11's own vector of strings when it inlines it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnull-dereference"
#include <CLI/CLI.hpp>
#pragma GCC diagnostic pop

#include "exit_status.hpp"
#include "load_config.hpp"

namespace portsyncd {
namespace {

constexpr auto footer =
    "Signals: TERM, INT  write what waits, for at most 5 s, and end; a second one ends at once (status 128 + signal)\n"
    "         USR1       log the statistics\n"
    "Status:  0 clean, 78 bad configuration or command line, 69 what trying again cannot mend";

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  CLI::App app("Keeps SONiC's STATE_DB equal to the kernel's ports.", "portsyncd");
  std::string config;
  std::string checked;
  std::string level;
  auto* config_option = app.add_option("-c,--config", config,
                                       std::string("configuration file (default: ") + default_config_file +
                                           "; without it every key has its default)")
                            ->type_name("FILE");
  auto* check_option = app.add_option("--check-config,--validate-config", checked,
                                      "check FILE, or the file of --config, or the default one, and end")
                           ->type_name("[FILE]")
                           ->expected(0, 1);
  auto* level_option = app.add_option("--log-level", level, "over logging.level of the file")->type_name("LEVEL");
  app.add_flag("--json-lines", options.json_lines,
               "write rows to standard output, one JSON object a line, and not to Redis");
  app.set_version_flag("--version", std::string("portsyncd ") + portsync::version(), "show the version and end");
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
