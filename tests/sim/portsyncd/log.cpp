// SPDX-License-Identifier: Apache-2.0
// In place of log/log.cpp and its library: the lines go to the judge.
#include "log/log.hpp"

#include <strings.h>

#include <array>
#include <stdexcept>
#include <utility>

#include "sim/machine.hpp"

namespace portsyncd::log {
namespace {

constexpr std::array<std::string_view, 7> names{"trace", "debug", "info", "warn", "error", "critical", "off"};

Level current_level = Level::info;

}  // namespace

std::optional<Level> parse_level(std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Level>(i);
  }
  return std::nullopt;
}

const char* to_string(Level level) noexcept {
  return names[static_cast<std::size_t>(level)].data();
}

void open(const Destination& destination) {
  if (destination.target != "file") return;
  sim::Machine& machine = sim::Machine::current();
  machine.world.enter("open");
  const std::size_t slash = destination.file.rfind('/');
  if (machine.host.directories.count(destination.file.substr(0, slash)) == 0) {
    throw std::runtime_error("Cannot log to file: " + destination.file);
  }
}

void set_level(Level level) noexcept {
  current_level = level;
}

Level level() noexcept {
  return current_level;
}

bool enabled(Level level) noexcept {
  return level >= current_level;
}

void write(Level level, std::string_view text, Fields) noexcept {
  const sim::Host& host = sim::Machine::current().host;
  if (enabled(level) && host.on_log) host.on_log(static_cast<int>(level), text);
}

void finish() noexcept {}

}  // namespace portsyncd::log
