// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <portsync/error.hpp>
#include <portsync/netlink/link_source.hpp>
#include <utility>

#include "core/earliest.hpp"
#include "core/link_table.hpp"
#include "core/resync_policy.hpp"
#include "netlink/decode.hpp"
#include "netlink/event_socket.hpp"
#include "netlink/receive_buffer.hpp"
#include "netlink/snapshot_request.hpp"
#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync::netlink {
namespace {

constexpr std::uint32_t event_id = 1;
constexpr std::uint32_t reply_id = 2;

// How much one process() may do. What follows the last look at the budget is at most one round of notifications (32)
// and one datagram of replies (32 KiB, of more than 512 bytes each): with them the sum stays within what Pollable
// promises.
constexpr std::size_t max_messages = 1024 - ReceiveBuffer::max_slots - 64;
constexpr std::chrono::milliseconds max_time{1};

// The kernel answers a listing while it is being read; it is silent only when something is wrong.
constexpr std::chrono::seconds reply_timeout{1};

class Budget {
 public:
  explicit Budget(TimePoint now) noexcept : end_(now + max_time) {}
  void spend(std::size_t messages) noexcept { messages_ += messages; }
  [[nodiscard]] bool spent(TimePoint now) const noexcept { return messages_ >= max_messages || now >= end_; }

 private:
  TimePoint end_;
  std::size_t messages_ = 0;
};

// The life of a snapshot: wanted (resync_at_ is set) -> asked for (request_ is set) -> complete, or wanted again.
//
// After a loss, a new event socket is opened and the old one closed before the snapshot is asked for: once its buffer
// has overrun, the kernel drops all that comes to a socket, without another word, until it has been read empty once.
//
// Sockets are opened in process() too, in the network namespace that its thread is in then: it must not have moved.
class NetlinkLinkSource final : public LinkSource {
 public:
  explicit NetlinkLinkSource(const Options& options)
      : options_(options), socket_(std::make_unique<EventSocket>(options.receive_buffer_bytes)) {}

  [[nodiscard]] std::error_code start(Handler handler) override;
  [[nodiscard]] std::error_code resync() override;
  [[nodiscard]] LinkSourceStatistics statistics() const override;
  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }
  [[nodiscard]] std::error_code process() override;

 private:
  // What read_events() found: nothing, all that waited, or not all of it.
  enum class Events : std::uint8_t { none, all, more };

  void read_and_act();
  Events read_events(Budget& budget);
  void on_datagram(const ReceiveBuffer::Datagram& datagram);
  void on_event(const nlmsghdr& message);

  void read_replies(Budget& budget);
  void on_reply(const nlmsghdr& message);
  void end_snapshot();
  void fail_snapshot();
  void give_up_snapshot();

  void on_loss();
  void retry() { resync_at_ = policy_.on_loss(now_); }
  void begin_snapshot();
  bool open_sockets() noexcept;
  void replace_event_socket();

  void on_time();
  [[nodiscard]] bool probing() const noexcept {
    return begun_ && options_.probe_interval > std::chrono::milliseconds::zero();
  }
  void check_sign_of_life();
  void probe();
  void on_useless_socket();
  void arm() noexcept;

  const Options options_;
  os::EventSet events_;
  std::unique_ptr<EventSocket> socket_;
  std::optional<SnapshotRequest> request_;
  ReceiveBuffer buffer_;
  LinkState link_;  // scratch of decode()
  std::optional<core::LinkTable> table_;
  core::ResyncPolicy policy_;
  LinkSourceStatistics statistics_;

  TimePoint now_;             // when what is being handled was read
  bool drained_due_ = false;  // something has been told since the last `drained`

  Cause cause_ = Cause::initial;        // of the next snapshot
  bool begun_ = false;                  // there was a snapshot_begin
  bool lost_ = false;                   // the event socket has lost something: it must be replaced
  bool doubtful_ = false;               // what is known may be wrong, until the next complete snapshot
  bool incomplete_ = false;             // the running snapshot cannot be trusted
  std::optional<TimePoint> resync_at_;  // when the wanted snapshot may start
  TimePoint reply_deadline_;            // with request_ only

  TimePoint heard_;                  // when the kernel's last datagram on the event socket was read
  std::optional<TimePoint> probed_;  // a probe is unanswered since
  os::ProcessFlag processing_;
};

std::error_code NetlinkLinkSource::start(Handler handler) {
  if (table_) return Errc::already_started;
  if (!handler) return std::make_error_code(std::errc::invalid_argument);
  table_.emplace(std::move(handler));
  now_ = heard_ = os::now();
  lost_ = true;  // what came since the socket was made is older than the snapshot: a new one for what is newer
  resync_at_ = now_;
  arm();
  return {};
}

std::error_code NetlinkLinkSource::resync() {
  if (!table_) return Errc::not_started;
  if (!request_ && !resync_at_) {
    resync_at_ = os::now();
    events_.arm(resync_at_);
  }
  return {};
}

LinkSourceStatistics NetlinkLinkSource::statistics() const {
  LinkSourceStatistics statistics = statistics_;
  statistics.changes = table_ ? table_->changes() : 0;
  statistics.links = table_ ? table_->size() : 0;
  statistics.receive_buffer_bytes = socket_->receive_buffer_bytes();
  statistics.backlog_bytes = socket_->backlog_bytes();
  statistics.snapshot_pending = doubtful_ || cause_ == Cause::initial;
  return statistics;
}

std::error_code NetlinkLinkSource::process() {
  if (!table_) return Errc::not_started;
  const os::ProcessGuard guard(processing_);
  try {
    read_and_act();
  } catch (...) {
    // The rest of what had been read is lost, and a handler missed some of it: what is known must be made sure of.
    if (request_) give_up_snapshot();
    doubtful_ = true;
    retry();
    arm();
    throw;
  }
  return {};
}

// Reads first and looks at the time then, so that an answer that has waited for us while we did not run is no late one.
void NetlinkLinkSource::read_and_act() {
  now_ = os::now();
  Budget budget(now_);
  // Without a snapshot under way it is nearly always a notification that waits: reading says so at no more cost than
  // asking what waits.
  Events events = request_ ? Events::none : read_events(budget);
  if (events == Events::none) {
    epoll_event ready[os::EventSet::max_events];
    const int count = events_.poll(ready);
    const auto is_ready = [&](std::uint32_t id) {
      return std::any_of(ready, ready + count, [id](const epoll_event& event) { return event.data.u32 == id; });
    };
    if (is_ready(event_id)) events = read_events(budget);
    if (request_ && is_ready(reply_id)) read_replies(budget);
  }
  on_time();
  if (drained_due_ && events != Events::more && !request_) {
    drained_due_ = false;
    table_->on_drained(now_);
  }
  arm();
}

// ---- notifications

NetlinkLinkSource::Events NetlinkLinkSource::read_events(Budget& budget) {
  Events events = Events::none;
  do {
    const int count = buffer_.receive(socket_->fd());
    now_ = os::now();
    if (count == -EAGAIN) return events;
    if (count == -EINTR) return Events::more;
    if (count < 0) {  // ENOBUFS: messages were dropped, and more of them are until all that waits has been read
      ++statistics_.overruns;
      on_loss();
      return Events::more;
    }
    events = Events::all;
    const std::size_t slots = buffer_.slots();
    const auto datagrams = static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < datagrams; ++i) on_datagram(buffer_.datagram(i));
    buffer_.fit_slots();
    budget.spend(datagrams);
    if (datagrams < slots) return events;
  } while (!budget.spent(now_));
  return Events::more;
}

void NetlinkLinkSource::on_datagram(const ReceiveBuffer::Datagram& datagram) {
  if (!datagram.from_kernel) {
    ++statistics_.foreign;
    return;
  }
  heard_ = now_;
  if (probed_) events_.relax();  // nothing happens: do not wake for the time limit of what has been answered
  probed_.reset();
  statistics_.deaf_since.reset();
  if (datagram.truncated) {
    ++statistics_.truncated;
    on_loss();
    return;
  }
  if (!each_message(datagram.data, [this](const nlmsghdr& message) { on_event(message); })) {
    ++statistics_.malformed;
    on_loss();
  }
}

void NetlinkLinkSource::on_event(const nlmsghdr& message) {
  if (message.nlmsg_type < NLMSG_MIN_TYPE) return;  // the answer to a probe
  switch (decode(message, link_)) {
    case Decoded::changed:
      ++statistics_.messages;
      drained_due_ = true;
      table_->on_changed(link_, now_);
      break;
    case Decoded::removed:
      ++statistics_.messages;
      drained_due_ = true;
      table_->on_removed(link_.ifindex, now_);
      break;
    case Decoded::ignored:
      ++statistics_.ignored;
      break;
    case Decoded::malformed:
      ++statistics_.malformed;
      on_loss();
      break;
  }
}

// ---- snapshots

// Reads at least once, so that a flood of notifications does not starve the snapshot.
void NetlinkLinkSource::read_replies(Budget& budget) {
  do {
    const auto status = request_->read(buffer_.whole(), [&](const nlmsghdr& message) {
      budget.spend(1);
      on_reply(message);
    });
    now_ = os::now();
    switch (status) {
      case SnapshotRequest::Status::waiting:
        return;
      case SnapshotRequest::Status::foreign:
        ++statistics_.foreign;
        budget.spend(1);
        break;
      case SnapshotRequest::Status::more:
        reply_deadline_ = now_ + reply_timeout;
        break;
      case SnapshotRequest::Status::complete:
        return end_snapshot();
      case SnapshotRequest::Status::failed:
        return fail_snapshot();
    }
  } while (!budget.spent(now_));
}

void NetlinkLinkSource::on_reply(const nlmsghdr& message) {
  switch (decode(message, link_)) {
    case Decoded::changed:
      table_->on_snapshot_link(link_, now_);
      break;
    case Decoded::malformed:
      ++statistics_.malformed;
      incomplete_ = true;
      break;
    case Decoded::removed:
    case Decoded::ignored:
      break;
  }
}

// All replies are in. They are the truth only if nothing was lost while they came: neither a link that came or went in
// the middle of the listing, nor a notification that was newer than a reply.
void NetlinkLinkSource::end_snapshot() {
  if (request_->interrupted()) {
    ++statistics_.interrupted;
    incomplete_ = true;
  }
  if (!lost_ && socket_->drops() != 0) {
    ++statistics_.overruns;
    on_loss();
  }
  if (incomplete_ || lost_) {
    give_up_snapshot();
    retry();
    return;
  }
  events_.remove(request_->fd());
  request_.reset();
  ++statistics_.snapshots;
  doubtful_ = false;
  table_->end_snapshot(now_);
  cause_ = Cause::resync;
}

void NetlinkLinkSource::fail_snapshot() {
  ++statistics_.interrupted;
  give_up_snapshot();
  retry();
}

void NetlinkLinkSource::give_up_snapshot() {
  events_.remove(request_->fd());
  request_.reset();
  table_->abort_snapshot();
}

// The event socket has lost something, or may have. The old one is read on until the new snapshot may start: what it
// still has is not complete, but better than nothing.
void NetlinkLinkSource::on_loss() {
  lost_ = true;
  doubtful_ = true;
  table_->on_loss();
  retry();
}

void NetlinkLinkSource::begin_snapshot() {
  resync_at_.reset();
  policy_.on_started();
  if (!open_sockets()) return retry();
  incomplete_ = false;
  reply_deadline_ = now_ + reply_timeout;
  drained_due_ = true;
  if (std::exchange(begun_, true)) ++statistics_.resyncs;
  table_->begin_snapshot(cause_, now_);
  if (request_->send()) fail_snapshot();
}

// False: not now (no descriptor or no memory left). What there was is still there.
bool NetlinkLinkSource::open_sockets() noexcept try {
  if (lost_) replace_event_socket();
  request_.emplace();
  events_.add(request_->fd(), EPOLLIN, reply_id);
  return true;
} catch (const std::exception&) {
  request_.reset();
  return false;
}

void NetlinkLinkSource::replace_event_socket() {
  auto socket = std::make_unique<EventSocket>(options_.receive_buffer_bytes);
  events_.add(socket->fd(), EPOLLIN, event_id);
  events_.remove(socket_->fd());  // closing alone would not do when a child process has a copy
  socket_ = std::move(socket);
  table_->on_loss();  // what was read since it was noticed may be older than the loss
  lost_ = false;
  probed_.reset();
  heard_ = now_;
  if (statistics_.deaf_since) probe();
}

// ---- time

void NetlinkLinkSource::on_time() {
  if (request_ && now_ >= reply_deadline_) fail_snapshot();
  if (probing()) check_sign_of_life();
  if (!request_ && resync_at_ && now_ >= *resync_at_) begin_snapshot();
}

// Tells a deaf socket from a quiet switch.
void NetlinkLinkSource::check_sign_of_life() {
  if (probed_ && now_ >= *probed_ + options_.probe_timeout) {
    if (!statistics_.deaf_since) statistics_.deaf_since = probed_;
    on_useless_socket();
  } else if (!probed_ && now_ >= heard_ + options_.probe_interval) {
    probe();
    // The answer would come to a socket too that gets no notifications any more, or has lost some.
    if (!socket_->joined()) {
      on_useless_socket();
    } else if (!lost_ && socket_->drops() != 0) {
      ++statistics_.overruns;
      on_loss();
    }
  }
}

void NetlinkLinkSource::probe() {
  ++statistics_.probes;
  probed_ = now_;
  socket_->send_probe();
}

void NetlinkLinkSource::on_useless_socket() {
  ++statistics_.probe_failures;
  probed_.reset();
  heard_ = now_;
  on_loss();
}

// A timer that fires too early is harmless and one that need not be set is free, so that notifications, which move the
// next probe on and on, cost no system call here.
void NetlinkLinkSource::arm() noexcept {
  std::optional<TimePoint> next;
  if (request_) {
    next = core::earliest(next, reply_deadline_);
  } else if (resync_at_) {
    next = core::earliest(next, resync_at_);
  }
  if (probing()) {
    next = core::earliest(next, probed_ ? *probed_ + options_.probe_timeout : heard_ + options_.probe_interval);
  }
  events_.arm(next);
}

}  // namespace

std::unique_ptr<LinkSource> make_link_source(const Options& options) {
  return std::make_unique<NetlinkLinkSource>(options);
}

}  // namespace portsync::netlink
