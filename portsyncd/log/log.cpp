// SPDX-License-Identifier: Apache-2.0
#include "log/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/text_check.hpp"
#include "log/log_socket.hpp"

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

constexpr std::size_t most_bytes_of_a_file = 10U << 20U;
constexpr std::size_t files_put_aside = 5;

// Priorities of syslog by spdlog's level.
constexpr std::array<char, 7> priorities{'7', '7', '6', '4', '3', '2', '6'};

char priority_of(spdlog::level::level_enum level) noexcept {
  return priorities[static_cast<std::size_t>(level)];
}

// Formats the prefix "<N>", which gives a line of standard error syslog's priority N (sd-daemon(3)).
class Priority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& target) override {
    target.push_back('<');
    target.push_back(priority_of(message.level));
    target.push_back('>');
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Priority>(); }
};

// Returns whether the journal reads standard error. JOURNAL_STREAM is "device:inode" of the journal's stream
// (systemd.exec(5)). Compares both, so that a redirected standard error is not mistaken for it.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) < 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

std::unique_ptr<spdlog::formatter> timestamps() {
  return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%f%z %^%l%$ %v");
}

spdlog::sink_ptr stderr_sink() {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_st>();  // coloured only on a terminal
  if (stderr_is_journal()) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<Priority>('*').set_pattern("%*%v");
    sink->set_formatter(std::move(formatter));
  } else {
    sink->set_formatter(timestamps());
  }
  return sink;
}

// Checks what spdlog does not: opening a FIFO would wait for its reader, and a file that cannot be renamed would be
// emptied.
void check_file(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw std::runtime_error(file + ": found a device, pipe, socket or directory, expected a regular file");
  }
  const std::size_t slash = file.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : file.substr(0, slash + 1);
  if (::access(folder.c_str(), W_OK | X_OK) != 0 && errno != ENOENT) {  // a missing folder is created
    throw std::runtime_error(folder + ": " + std::strerror(errno) +
                             ", expected a folder where full files can be put aside");
  }
}

spdlog::sink_ptr file_sink(const std::string& file) {
  check_file(file);
  auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_st>(file, most_bytes_of_a_file, files_put_aside);
  sink->set_formatter(timestamps());
  return sink;
}

std::unique_ptr<LogSocket> make_socket(const std::string& target) {
  using Protocol = LogSocket::Protocol;
  const bool by_itself = target == "auto" && stderr_is_journal();
  if (target != "journal" && target != "syslog" && !by_itself) return nullptr;
  const Protocol protocol = target == "syslog" ? Protocol::syslog : Protocol::journal;
  auto socket = std::make_unique<LogSocket>(protocol);
  const int error = socket->check();
  if (error == 0 || (error == ECONNREFUSED && !by_itself)) return socket;  // refused: the daemon is being restarted
  if (by_itself) return nullptr;
  throw std::runtime_error(std::string(LogSocket::place(protocol)) + ": " + std::strerror(error) + ", expected " +
                           (protocol == Protocol::journal ? "journald" : "a syslog daemon") + " there");
}

spdlog::sink_ptr make_sink(const Destination& destination) {
  if (destination.target == "file") return file_sink(destination.file);
  return stderr_sink();
}

// After open(), exactly one of the two exists. A log daemon's socket does not use spdlog, because spdlog's lines have
// no fields and its sink for syslog blocks.
std::unique_ptr<spdlog::logger>& logger() {
  static std::unique_ptr<spdlog::logger> instance;
  return instance;
}
std::unique_ptr<LogSocket>& log_socket() {
  static std::unique_ptr<LogSocket> instance;
  return instance;
}

Level current_level = Level::info;
std::string trouble;  // the sink's error for the current line

void use(spdlog::sink_ptr sink) {
  logger() = std::make_unique<spdlog::logger>("portsyncd", std::move(sink));
  logger()->set_error_handler([](const std::string& what) { trouble = what; });
  logger()->flush_on(spdlog::level::trace);  // a reader that follows the file must see the last line
  set_level(current_level);
  log_socket().reset();
}

void use(std::unique_ptr<LogSocket> socket) {
  const bool same = log_socket() && log_socket()->protocol() == socket->protocol();
  if (!same) log_socket() = std::move(socket);  // the old socket knows its number of lost lines
  logger().reset();
}

void hand_over(Level level, std::string_view text, Fields fields) {
  if (log_socket()) return log_socket()->send(priority_of(to_spdlog(level)) - '0', text, fields);
  logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
  if (trouble.empty()) return;
  // The file cannot be written or renamed any more. spdlog's sink must not be used after such an error.
  const std::string what = std::exchange(trouble, {});
  use(stderr_sink());
  logger()->log(spdlog::level::err, "The log file cannot be written (" + what + "): logging to standard error");
  logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) noexcept {
  const auto* found = std::find_if(names.begin(), names.end(), [name](const LevelName& known) {
    return known.name.size() == name.size() && ::strncasecmp(known.name.data(), name.data(), name.size()) == 0;
  });
  return found == names.end() ? std::nullopt : std::optional(found->level);
}

const char* to_string(Level level) noexcept {
  const auto* found =
      std::find_if(names.begin(), names.end(), [level](const LevelName& known) { return known.level == level; });
  return found == names.end() ? "unknown" : found->name.data();
}

void open(const Destination& destination) {
  spdlog::sink_ptr sink;
  try {
    if (auto socket = make_socket(destination.target)) return use(std::move(socket));
    sink = make_sink(destination);
  } catch (const std::exception& error) {  // spdlog's exception derives from it
    throw std::runtime_error("Cannot log to " + destination.target + ": " + error.what());
  }
  use(std::move(sink));
}

void set_level(Level level) noexcept {
  if (level == Level::off && current_level != Level::off)
    write(std::max(current_level, Level::info), "The log level is off: this is the last line");
  current_level = level;
  if (logger()) logger()->set_level(to_spdlog(level));
}

Level level() noexcept {
  return current_level;
}

bool enabled(Level level) noexcept {
  return level >= current_level && (logger() || log_socket());
}

void write(Level level, std::string_view text, Fields fields) noexcept {
  if (!enabled(level)) return;
  try {
    if (std::none_of(text.begin(), text.end(), is_control)) {
      return hand_over(level, text, fields);
    }
    hand_over(level, without_control_characters(std::string(text)), fields);
  } catch (...) {  // no memory: the line is lost, the daemon continues
  }
}

void finish() noexcept {
  if (log_socket()) log_socket()->wait_until_read(std::chrono::seconds(2));
}

}  // namespace portsyncd::log
