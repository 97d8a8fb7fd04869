// SPDX-License-Identifier: Apache-2.0
#include "service/restart_marker.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/exit_status.hpp"
#include "log/log.hpp"
#include "os/system.hpp"

namespace portsyncd {
namespace {

using std::chrono::milliseconds;

// Both have the same length. One write replaces the one with the other, so a kill cannot leave anything in between.
constexpr std::string_view running = "running\n";
constexpr std::string_view stopped_text = "stopped\n";
static_assert(running.size() == stopped_text.size());

constexpr std::string_view clean_stop = "clean stop";
constexpr std::string_view crash = "crash";
constexpr std::string_view watchdog = "watchdog";

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

// Splits the line into words. Returns none if the line is not in the form that the unit writes.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (!std::all_of(line.begin(), line.end(), [](char c) { return c == ' ' || is_word_character(c); })) return words;
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    if (!word.empty()) words.push_back(word);
    line.remove_prefix(std::min(line.size(), word.size() + 1));
  }
  return words;
}

// Describes an end with an exit status that has a meaning; returns "" for any other. `words` are "exit-code exited 78".
std::string reported_end(const std::vector<std::string_view>& words) {
  int status = 0;
  if (words.size() != 3 || words[0] != "exit-code") return "";
  const auto [end, error] = std::from_chars(words[2].data(), words[2].data() + words[2].size(), status);
  if (error != std::errc() || end != words[2].data() + words[2].size() || meaning_of(status).empty()) return "";
  return std::string(meaning_of(status)) + " (exit status " + std::to_string(status) + ")";
}

std::string seconds_of(milliseconds duration) {
  const auto tenths = duration.count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

struct File {
  std::string text;
  timespec modified{};
};

// Reads the first 128 bytes. Reads nothing if it is not a regular file.
File read_start(int fd) {
  File file;
  std::array<char, 128> text{};
  struct stat status {};
  if (os::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return file;
  const ssize_t size = os::pread(fd, text.data(), text.size(), 0);
  file.text.assign(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  file.modified = status.st_mtim;
  return file;
}

// Reads and removes the file, so that the next instance does not mistake it for the end of this one.
File take(const std::string& path) {
  const int fd = os::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  File file = read_start(fd);
  os::close(fd);
  os::unlink(path.c_str());
  return file;
}

milliseconds since_epoch(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) +
         std::chrono::duration_cast<milliseconds>(std::chrono::nanoseconds(time.tv_nsec));
}

void log_previous_end(const File& marker, const File& result) {
  const auto end =
      previous_end({marker.text, result.text, since_epoch(result.modified) - since_epoch(marker.modified)});
  if (!end) return log::debug("No restart detected");
  const bool fault = end->starts_with(crash) || end->starts_with(watchdog);
  log::write(fault ? log::Level::warning : log::Level::info, "Restart detected: previous instance ended by " + *end);
}

}  // namespace

std::optional<std::string> previous_end(const Traces& traces) {
  const auto words = words_of(traces.result);
  if (words.empty()) {
    if (traces.marker == stopped_text) return std::string(clean_stop);
    return traces.marker == running ? std::optional<std::string>(crash) : std::nullopt;
  }
  if (words[0] == "success") return std::string(clean_stop);
  if (std::string end = reported_end(words); !end.empty()) return end;
  if (words[0] == watchdog) {
    // The silence is negative if the clock was set meanwhile.
    if (traces.marker != running || !traces.silence || *traces.silence < milliseconds(0)) {
      return std::string(watchdog);
    }
    return std::string(watchdog) + ": its loop had stalled for " + seconds_of(*traces.silence) +
           ", since its last ping";
  }
  std::string text = std::string(crash) + " (" + std::string(words[0]);
  for (std::size_t i = 1; i < words.size(); ++i) (text += ' ') += words[i];
  return text + ')';
}

RestartMarker::RestartMarker(const std::string& directory) {
  if (directory.empty()) return;
  const std::string path = directory + "/instance";
  fd_ = os::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    log::debug("No restart marker: " + path + ": " + std::strerror(errno));
    return;
  }
  log_previous_end(read_start(fd_), take(directory + "/service-result"));
  (void)!os::pwrite(fd_, running.data(), running.size(), 0);
  (void)!os::ftruncate(fd_, static_cast<off_t>(running.size()));
}

RestartMarker::~RestartMarker() {
  if (fd_ >= 0) os::close(fd_);
}

void RestartMarker::alive() const noexcept {
  if (fd_ >= 0) os::touch(fd_);
}

void RestartMarker::stopped() const noexcept {
  if (fd_ >= 0) (void)!os::pwrite(fd_, stopped_text.data(), stopped_text.size(), 0);
}

}  // namespace portsyncd
