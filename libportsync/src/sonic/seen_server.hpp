// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace portsync::sonic {

// The server process in which PortConfigDone was seen, by its run_id. "" is a server that does not say its own.
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
