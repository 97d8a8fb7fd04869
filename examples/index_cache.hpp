// SPDX-License-Identifier: Apache-2.0
// ifindex -> name, master and kind, always current. For daemons whose routes and neighbours name links by index.
//
// The first snapshot fills the cache, and every change updates it. A lookup never lists the links again: if an ifindex
// is missing, find() first reads the messages that wait, because one of them may bring it.
#pragma once

#include <poll.h>

#include <memory>
#include <portsync/link_source.hpp>
#include <string>
#include <unordered_map>
#include <utility>

class IndexCache final : public portsync::Pollable {
 public:
  struct Link {
    std::string name;
    std::int32_t master = 0;  // ifindex of the bridge, LAG or VRF that has this link as a member; 0 = none
    std::string kind;         // "vlan", "team"; "" for most hardware
  };

  explicit IndexCache(std::unique_ptr<portsync::LinkSource> source) : source_(std::move(source)) {}

  [[nodiscard]] std::error_code start() {
    return source_->start([this](const portsync::LinkEvent& event) { on_event(event); });
  }
  [[nodiscard]] int fd() const noexcept override { return source_->fd(); }
  [[nodiscard]] std::error_code process() override { return source_->process(); }

  // True once the first snapshot is in the cache.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

  // Returns nullptr when there is no such link. The result is valid until the next process() or find().
  [[nodiscard]] const Link* find(std::int32_t ifindex) {
    for (;;) {
      const auto found = links_.find(ifindex);
      if (found != links_.end()) return &found->second;
      pollfd waiting{source_->fd(), POLLIN, 0};
      if (::poll(&waiting, 1, 0) <= 0 || source_->process()) return nullptr;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return links_.size(); }

 private:
  void on_event(const portsync::LinkEvent& event) {
    using Kind = portsync::LinkEvent::Kind;
    if (event.kind == Kind::changed) {
      Link& link = links_[event.link->ifindex];
      link.name = event.link->name;
      link.master = event.link->master;
      link.kind = event.link->kind;
    } else if (event.kind == Kind::removed) {
      links_.erase(event.link->ifindex);
    } else if (event.kind == Kind::snapshot_end) {
      complete_ = true;
    }
  }

  std::unique_ptr<portsync::LinkSource> source_;
  std::unordered_map<std::int32_t, Link> links_;
  bool complete_ = false;
};
