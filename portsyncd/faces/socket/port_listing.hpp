// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <portsync/pollable.hpp>
#include <string>
#include <vector>

#include "faces/control.hpp"

namespace portsyncd {

// The answer to a question for many ports. It is made in parts, so that the loop turns between them, and may be sent to
// several clients. The ports are those of the moment when it began; a part says what its ports are when it is made.
class PortListing {
 public:
  static constexpr std::size_t ports_at_once = 24;  // a part takes about 0.2 ms

  PortListing(const Control& control, std::string pattern, portsync::TimePoint begun);

  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }
  [[nodiscard]] portsync::TimePoint begun() const noexcept { return begun_; }

  // Makes the next part. Nothing when it is complete.
  void make_more();
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  // What has been made so far: one line when it is complete.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  const Control& control_;
  const std::string pattern_;
  const portsync::TimePoint begun_;
  const std::optional<Control::WallClock::time_point> compared_;
  std::vector<std::string> names_;  // not listed yet; a heap whose top is the first in order
  std::string text_ = R"({"ok":true,"result":[)";
  bool any_ = false;
  bool complete_ = false;
};

}  // namespace portsyncd
