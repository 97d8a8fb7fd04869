// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <portsync/link_source.hpp>
#include <portsync/port_filter.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/kept_link.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync::sonic {

// A LinkSource that tells another's links, but for those that could be ports and are not known to be yet: they wait
// here until their names are admitted. Until open() nothing is told at all.
class PortGate final : public LinkSource {
 public:
  // Called from process() only.
  struct Observer {
    virtual ~Observer() = default;
    // The first snapshot is complete.
    virtual void on_snapshot() = 0;
    // A link waits under a name that has not been admitted.
    virtual void on_waiting(const std::string& name) = 0;
    // No link waits under this name any more: it was admitted, renamed or removed.
    virtual void on_settled(const std::string& name) = 0;
    // A link of this name is told from now on.
    virtual void on_port(const std::string& name) = 0;
  };

  // A link that could be a port.
  struct Candidate {
    std::int32_t ifindex = 0;
    std::string name;
    bool admin_up = false;
  };

  // `links` is borrowed, and driven from here. Throws std::system_error.
  PortGate(LinkSource& links, PortFilter filter, Observer& observer);

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }
  [[nodiscard]] std::error_code process() override;
  [[nodiscard]] std::error_code start(Handler handler) override;
  [[nodiscard]] std::error_code resync() override { return links_source_.resync(); }
  [[nodiscard]] LinkSourceStatistics statistics() const override { return links_source_.statistics(); }

  // Those there are now, by name. Before open().
  [[nodiscard]] std::vector<Candidate> candidates() const;
  // Nothing is told of this link until it is removed: what comes under its name and another ifindex is another link.
  void ignore(std::int32_t ifindex);
  // A link of this name is a port: the one that waits, or, before it opens, any. Until the link is removed or renamed.
  void admit(std::string_view name);
  // Begins to tell, with what there is.
  void open();

 private:
  enum class Place : std::uint8_t { held, ignored, passed };
  struct Link {
    Place place = Place::held;
    core::KeptLink kept;   // held
    bool waiting = false;  // held, and on_waiting() was told under this name
    std::string name;      // waiting: which
  };

  void on_event(const LinkEvent& event);
  void on_changed(const LinkEvent& event);
  void on_removed(const LinkEvent& event);
  void wait(Link& link);
  void settle(Link& link);
  void pass(Link& link, const LinkEvent& event);
  void forget(std::string_view name);
  [[nodiscard]] bool may_pass(const LinkState& link) const;
  void request_telling();
  void tell_held();
  void tell(const LinkEvent& event) { handler_(event); }

  LinkSource& links_source_;
  const PortFilter filter_;
  Observer& observer_;
  Handler handler_;
  os::EventSet events_;
  std::unordered_map<std::int32_t, Link> links_;
  std::set<std::string, std::less<>> admitted_;
  std::set<std::string, std::less<>> used_;                  // of these, while it opens
  std::map<std::string, std::size_t, std::less<>> waiting_;  // links that wait under the name
  bool open_ = false;
  bool opened_ = false;  // and told
  bool snapshot_ = false;
  bool due_ = false;        // held links may have become tellable
  bool timer_set_ = false;  // and has not been seen to fire
  os::ProcessFlag processing_;
};

}  // namespace portsync::sonic
