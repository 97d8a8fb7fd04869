// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <portsync/link_source.hpp>
#include <portsync/port_filter.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/kept_link.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync::sonic {

// A LinkSource that passes on the events of another one. A link that could be a port, and is not known to be one yet,
// waits here until its name is admitted. Before open() the gate passes nothing.
class PortGate final : public LinkSource {
 public:
  // Receives the gate's events. Only process() calls it.
  struct Observer {
    virtual ~Observer() = default;
    // The first snapshot is complete.
    virtual void on_snapshot() = 0;
    // A link waits under a name that has not been admitted.
    virtual void on_waiting(const std::string& name) = 0;
    // No link waits under this name any more: it was admitted, renamed or removed.
    virtual void on_settled(const std::string& name) = 0;
    // A link of this name has passed: its events are passed on from now on.
    virtual void on_port(const std::string& name) = 0;
  };

  // A link that could be a port.
  struct Candidate {
    std::int32_t ifindex = 0;
    std::string name;
    bool admin_up = false;
  };

  // Borrows `links` and drives it. Throws std::system_error.
  PortGate(LinkSource& links, PortFilter filter, Observer& observer);

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }
  [[nodiscard]] std::error_code process() override;
  [[nodiscard]] std::error_code start(Handler handler) override;
  [[nodiscard]] std::error_code resync() override { return links_source_.resync(); }
  [[nodiscard]] LinkSourceStatistics statistics() const override { return links_source_.statistics(); }

  // Returns the current candidates, sorted by name. To be called before open().
  [[nodiscard]] std::vector<Candidate> candidates() const;
  [[nodiscard]] const PortFilter& filter() const noexcept { return filter_; }
  // Changes which links could be ports. To be called before open().
  void set_filter(PortFilter filter) { filter_ = std::move(filter); }
  // Passes no event of this link until it is removed. A link with the same name and another ifindex is another link.
  void ignore(std::int32_t ifindex);
  // Admits the link of this name as a port, until that link is removed or renamed. Once the gate has opened, this has
  // an effect only while a link waits under the name.
  void admit(std::string_view name);
  // Returns whether process() will pass links that wait, because their names were admitted.
  [[nodiscard]] bool will_pass() const noexcept { return due_; }
  // Begins to pass events, beginning with the links that are known now. If the latest snapshot is not recent, requests
  // another one.
  void open();

 private:
  enum class Place : std::uint8_t { held, ignored, passed };
  struct Link {
    Place place = Place::held;
    core::KeptLink kept;   // held
    bool waiting = false;  // held, and on_waiting() was called with `name`
    std::string name;      // the name under which it waits
  };

  void on_event(const LinkEvent& event);
  void on_changed(const LinkEvent& event);
  void on_removed(const LinkEvent& event);
  void hold(Link& link);
  void settle(Link& link);
  void pass(Link& link, const LinkEvent& event);
  void forget(std::string_view name);
  [[nodiscard]] bool may_pass(const LinkState& link) const;
  [[nodiscard]] bool differ(const LinkState& before, const LinkState& now) const;
  void request_forwarding();
  void forward_held();
  void forward(const LinkEvent& event) { handler_(event); }

  LinkSource& links_source_;
  PortFilter filter_;
  Observer& observer_;
  Handler handler_;
  os::EventSet events_;
  std::unordered_map<std::int32_t, Link> links_;
  std::set<std::string, std::less<>> admitted_;
  std::set<std::string, std::less<>> used_;                  // those of admitted_ that a link has, while the gate opens
  std::map<std::string, std::size_t, std::less<>> waiting_;  // number of links that wait under each name
  bool open_ = false;
  bool opened_ = false;                   // open_, and the existing links have been passed on
  std::optional<TimePoint> snapshot_at_;  // when the latest one was complete
  bool due_ = false;                      // held links may be able to pass now
  bool timer_set_ = false;                // and it has not fired yet, as far as is known
  os::ProcessFlag processing_;
};

}  // namespace portsync::sonic
