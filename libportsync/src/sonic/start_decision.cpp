// SPDX-License-Identifier: Apache-2.0
#include "sonic/start_decision.hpp"

#include <charconv>
#include <cstdint>

namespace portsync::sonic {
namespace {

// Returns std::nullopt if the text is no count: then no earlier start counted, and this start is not warm.
std::optional<std::uint64_t> count_in(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::uint64_t count = 0;
  const char* end = text->data() + text->size();
  const auto result = std::from_chars(text->data(), end, count);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return count;
}

}  // namespace

const char* to_string(StartMode mode) noexcept {
  switch (mode) {
    case StartMode::cold:
      return "cold";
    case StartMode::dpu:
      return "dpu";
    case StartMode::warm:
      return "warm";
    case StartMode::adopted:
      return "adopted";
  }
  return "unknown";
}

Decision decide(const Evidence& evidence) {
  Decision decision;
  const std::optional<std::uint64_t> restored = count_in(evidence.restore_count);
  if (evidence.warm_enabled && restored && evidence.port_config_done) {
    decision.mode = StartMode::warm;
    decision.restore_count = std::to_string(*restored + 1);
    return decision;
  }
  if (evidence.restore_count != "0") decision.restore_count = "0";
  if (evidence.port_config_done) {
    decision.mode = StartMode::adopted;
    decision.say_init_done = !evidence.port_init_done;
    return decision;
  }
  decision.mode = evidence.dpu ? StartMode::dpu : StartMode::cold;
  decision.load_ports = true;
  decision.set_leftovers_down = !evidence.dpu;
  return decision;
}

}  // namespace portsync::sonic
