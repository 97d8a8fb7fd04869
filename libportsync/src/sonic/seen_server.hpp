// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace portsync::sonic {

// Remembers the server process in which PortConfigDone was seen, by its run_id. "" means that the server does not
// report one.
class SeenServer {
 public:
  void note(const std::string& run_id) {
    if (!run_id.empty()) run_id_ = run_id;
  }
  [[nodiscard]] bool is_another(const std::string& run_id) const {
    return !run_id.empty() && !run_id_.empty() && run_id != run_id_;
  }
  [[nodiscard]] bool known() const { return !run_id_.empty(); }

 private:
  std::string run_id_;
};

}  // namespace portsync::sonic
