// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace portsyncd::log {
namespace {

struct LevelName {
  std::string_view name;
  Level level;
};

constexpr std::array<LevelName, 10> names{{
    {"trace", Level::trace},
    {"debug", Level::debug},
    {"info", Level::info},
    {"warn", Level::warning},
    {"warning", Level::warning},
    {"error", Level::error},
    {"err", Level::error},
    {"critical", Level::critical},
    {"off", Level::off},
    {"none", Level::off},
}};

spdlog::level::level_enum to_spdlog(Level level) noexcept {
  return static_cast<spdlog::level::level_enum>(level);
}
static_assert(static_cast<int>(Level::trace) == spdlog::level::trace);
static_assert(static_cast<int>(Level::warning) == spdlog::level::warn);
static_assert(static_cast<int>(Level::off) == spdlog::level::off);

// sd-daemon(3): a line of standard error that begins with "<N>" has syslog's priority N.
class Priority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& target) override {
    constexpr std::array<char, 7> priorities{'7', '7', '6', '4', '3', '2', '6'};
    target.push_back('<');
    target.push_back(priorities[static_cast<std::size_t>(message.level)]);
    target.push_back('>');
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Priority>(); }
};

// systemd.exec(5): JOURNAL_STREAM is "device:inode" of the journal's stream, so that a redirected one is not taken for
// it.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) < 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

std::unique_ptr<spdlog::formatter> make_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (stderr_is_journal()) {
    formatter->add_flag<Priority>('*').set_pattern("%*%v");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %^%l%$ %v");
  }
  return formatter;
}

std::unique_ptr<spdlog::logger>& logger() {
  static std::unique_ptr<spdlog::logger> instance;
  return instance;
}

bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) noexcept {
  const auto* found = std::find_if(names.begin(), names.end(), [name](const LevelName& known) {
    return known.name.size() == name.size() && ::strncasecmp(known.name.data(), name.data(), name.size()) == 0;
  });
  return found == names.end() ? std::nullopt : std::optional(found->level);
}

void open(Level level) {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_st>();  // colours on a terminal alone
  sink->set_formatter(make_formatter());
  logger() = std::make_unique<spdlog::logger>("portsyncd", std::move(sink));
  logger()->set_error_handler([](const std::string&) {});  // nothing to be done when standard error is gone
  set_level(level);
}

void set_level(Level level) noexcept {
  if (logger()) logger()->set_level(to_spdlog(level));
}

bool enabled(Level level) noexcept {
  return logger() && logger()->should_log(to_spdlog(level));
}

void write(Level level, std::string_view text) noexcept {
  if (!enabled(level)) return;
  try {
    if (std::none_of(text.begin(), text.end(), is_control)) {
      logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
      return;
    }
    std::string clean(text);
    std::replace_if(clean.begin(), clean.end(), is_control, '?');
    logger()->log(to_spdlog(level), clean);
  } catch (...) {  // no memory: the line is lost, the daemon is not
  }
}

}  // namespace portsyncd::log
