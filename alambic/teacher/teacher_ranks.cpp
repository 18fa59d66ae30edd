#include "alambic/teacher/teacher_ranks.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <span>

#include "alambic/base/error.h"
#include "alambic/flow/parts.h"
#include "alambic/teacher/head_bytes.h"

namespace alambic {

namespace {

// On their way at a time, so that no two have the same number.
constexpr int64_t most_requests = 1 << 24;

// First sequences of parts with about as many tokens, and one past the last.
std::vector<int64_t> even_parts(const std::vector<int64_t>& offsets, int64_t parts) {
  std::vector<int64_t> cuts;
  for (int64_t part = 0; part <= parts; ++part) {
    const int64_t token = offsets.back() * part / parts;
    cuts.push_back(std::ranges::lower_bound(offsets, token) - offsets.begin());
  }
  return cuts;
}

bool are_same(const Rollouts& a, const Rollouts& b) {
  return a.sequences.offsets == b.sequences.offsets &&
         a.sequences.tokens_N.equal(b.sequences.tokens_N) &&
         a.completion_mask_N.equal(b.completion_mask_N);
}

}  // namespace

TeacherRanks::TeacherRanks(std::shared_ptr<const World> all, int64_t learners)
    : all_(std::move(all)),
      learners_(learners),
      outbox_(static_cast<size_t>(all_->size() - learners)),
      seconds_(outbox_.size(), 0) {}

Head TeacherRanks::receive_head(at::Device device) const {
  const Tensor bytes =
      all_->receive(learners_ + all_->rank() % size(), 0, "waiting for the teacher's head");
  return head_of_bytes(
      std::as_bytes(std::span(bytes.const_data_ptr<uint8_t>(), static_cast<size_t>(bytes.numel()))),
      device);
}

void TeacherRanks::expect(int64_t member, const Rollouts& rollouts) {
  expected_.push_back({.member = member, .rollouts = rollouts, .parts = {}});
}

// In as few parts as give every rank the same number of them.
void TeacherRanks::divide(int64_t member) {
  const int64_t count = std::ranges::count(expected_, member, &Asked::member);
  const int64_t parts = size() / std::gcd(count, size());
  int64_t next = all_->rank();
  for (Asked& asked : expected_) {
    if (asked.member != member) continue;
    const std::vector<int64_t> cuts = even_parts(asked.rollouts.sequences.offsets, parts);
    for (int64_t part = 0; part < parts; ++part, ++next) {
      if (cuts[part] == cuts[part + 1]) continue;
      asked.parts.push_back({.rank = next % size(), .number = requests_});
      outbox_[next % size()].push_back(
          {.member = member,
           .number = requests_,
           .rollouts = part_of(asked.rollouts, cuts[part], cuts[part + 1])});
      requests_ = (requests_ + 1) % most_requests;
    }
  }
}

void TeacherRanks::ask(int64_t step) {
  step_ = step;
  send_round(RankRequest::Kind::step);
}

void TeacherRanks::send_round(RankRequest::Kind kind) {
  for (Message& message : sent_) message.wait();
  sent_.clear();
  std::set<int64_t> members;
  for (const Asked& asked : expected_) members.insert(asked.member);
  for (const int64_t member : members) divide(member);
  for (int64_t rank = 0; rank < size(); ++rank) {
    std::vector<RankRequest>& requests = outbox_[rank];
    if (requests.empty()) requests.emplace_back();
    for (size_t i = 0; i < requests.size(); ++i) {
      requests[i].kind = kind;
      requests[i].step = step_;
      requests[i].left = static_cast<int64_t>(requests.size() - i - 1);
      sent_.push_back(
          all_->send(to_bytes(requests[i]), learners_ + rank, 0, "sending what is to be graded"));
    }
    requests.clear();
  }
  for (Asked& asked : expected_) {
    asked.step = step_;
    pending_.push_back(std::move(asked));
  }
  expected_.clear();
}

std::deque<TeacherRanks::Asked>::iterator TeacherRanks::find(int64_t member,
                                                             const Rollouts& rollouts) {
  return std::ranges::find_if(pending_, [&](const Asked& asked) {
    return asked.member == member && are_same(asked.rollouts, rollouts);
  });
}

HiddenStates TeacherRanks::take(int64_t member, const Rollouts& rollouts) {
  auto place = find(member, rollouts);
  if (place == pending_.end()) {
    check(all_->leads() && expected_.empty(), "rank {} alone asks for grades", all_->rank());
    expect(member, rollouts);
    send_round(RankRequest::Kind::alone);
    place = find(member, rollouts);
  }
  const Asked asked = std::move(*place);
  pending_.erase(place);
  return receive(asked);
}

HiddenStates TeacherRanks::receive(const Asked& asked) {
  const at::Device device = asked.rollouts.sequences.tokens_N.device();
  std::vector<RankReply> replies;
  for (const Part& part : asked.parts) {
    const int64_t rank = learners_ + part.rank;
    const Tensor bytes = all_->receive(
        rank, part.number,
        fmt::format("waiting for grades of step {} by rank {}", asked.step + 1, rank));
    replies.push_back(reply_of_bytes(bytes, device));
    const RankReply& reply = replies.back();
    check(reply.step == asked.step && reply.policy_step == asked.rollouts.policy_step,
          "grades of step {}, written by the student after {} steps, in place of {} and {}",
          reply.step, reply.policy_step, asked.step, asked.rollouts.policy_step);
    seconds_[part.rank] += reply.seconds;
  }
  const auto joined = [&](const auto& of) {
    std::vector<Tensor> parts;
    for (const RankReply& reply : replies) parts.push_back(of(reply.states));
    return at::cat(parts);
  };
  HiddenStates states{.hidden_MD = joined([](const HiddenStates& part) { return part.hidden_MD; }),
                      .head = {}};
  for (size_t i = 0; i < replies.front().states.layers_MD.size(); ++i) {
    states.layers_MD.push_back(joined([i](const HiddenStates& part) { return part.layers_MD[i]; }));
  }
  return states;
}

void TeacherRanks::end(int64_t ending) {
  if (!all_->leads()) return;
  for (int64_t rank = 0; rank < size(); ++rank) {
    const RankRequest last{.kind = RankRequest::Kind::end, .ending = ending, .rollouts = {}};
    sent_.push_back(all_->send(to_bytes(last), learners_ + rank, 0, "ending the teacher's ranks"));
  }
  for (Message& message : sent_) message.wait();
  sent_.clear();
}

std::vector<double> TeacherRanks::take_seconds() {
  std::vector<double> seconds(seconds_.size(), 0);
  seconds.swap(seconds_);
  return seconds;
}

}  // namespace alambic
