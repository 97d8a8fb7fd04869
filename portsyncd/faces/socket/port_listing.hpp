// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <portsync/pollable.hpp>
#include <string>
#include <vector>

#include "faces/control.hpp"

namespace portsyncd {

// The reply to a request for many ports. It is built in parts, so that the loop can do other work between them, and it
// can be sent to several clients. The set of ports is fixed when the listing begins. A part has the state of its ports
// at the time when the part is built.
class PortListing {
 public:
  static constexpr std::size_t ports_at_once = 24;  // building a part takes about 0.2 ms

  PortListing(const Control& control, std::string pattern, portsync::TimePoint begun);

  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }
  [[nodiscard]] portsync::TimePoint begun() const noexcept { return begun_; }

  // Builds the next part. Does nothing if the listing is complete.
  void make_more();
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  // Returns what has been built so far. A complete listing is one line.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  const Control& control_;
  const std::string pattern_;
  const portsync::TimePoint begun_;
  const std::optional<Control::WallClock::time_point> compared_;
  std::vector<std::string> names_;  // not listed yet; a heap with the first in order on top
  std::string text_ = R"({"ok":true,"result":[)";
  bool any_ = false;
  bool complete_ = false;
};

}  // namespace portsyncd
