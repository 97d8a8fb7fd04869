// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <portsync/link_state.hpp>

namespace portsync::core {

// A link: borrowed if its source keeps it (LinkEvent::lasting), otherwise a copy.
class KeptLink {
 public:
  KeptLink() = default;
  KeptLink(const LinkState& link, bool lasting) { keep(link, lasting); }

  void keep(const LinkState& link, bool lasting) {
    if (lasting) {
      copy_.reset();
      state_ = &link;
    } else if (copy_) {
      *copy_ = link;
    } else {
      copy_ = std::make_unique<LinkState>(link);
      state_ = copy_.get();
    }
  }
  // Copies the borrowed link. The source will no longer keep it, but still has it now.
  void make_copy() { keep(*state_, false); }

  [[nodiscard]] bool lasting() const noexcept { return state_ != nullptr && !copy_; }
  [[nodiscard]] const LinkState* get() const noexcept { return state_; }
  [[nodiscard]] const LinkState& operator*() const noexcept { return *state_; }
  [[nodiscard]] const LinkState* operator->() const noexcept { return state_; }

 private:
  const LinkState* state_ = nullptr;  // points into the source's table, or to the copy
  std::unique_ptr<LinkState> copy_;
};

}  // namespace portsync::core
