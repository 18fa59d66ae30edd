#include "alambic/train/grading_rank.h"

#include <algorithm>
#include <deque>
#include <tuple>

#include "alambic/base/stopwatch.h"
#include "alambic/scale/grading_pass.h"
#include "alambic/teacher/head_bytes.h"
#include "alambic/teacher/rank_messages.h"
#include "alambic/tensor/device.h"
#include "alambic/train/accompany.h"
#include "alambic/train/stop_signal.h"

namespace alambic {

namespace {

/// A request, who made it, and its place among those that this learner made in the round.
struct AskedGrades {
  int64_t learner = 0, place = 0;
  RankRequest request;
};

// All requests of a learner in this round.
void receive(const GradingRank& rank, int64_t learner, std::vector<AskedGrades>& round) {
  for (int64_t place = 0, left = 1; left > 0; ++place) {
    const Tensor bytes =
        rank.all->receive(learner, 0, fmt::format("waiting for work of rank {}", learner));
    round.push_back({learner, place, request_of_bytes(bytes, rank.device)});
    left = round.back().request.left;
  }
}

// The round that comes next; empty where a learner says that nothing does.
std::vector<AskedGrades> next_round(const GradingRank& rank, int64_t& ending) {
  std::vector<AskedGrades> round;
  receive(rank, 0, round);
  const RankRequest& first = round.front().request;
  ending = first.ending;
  if (first.kind == RankRequest::Kind::end) return {};
  if (first.kind == RankRequest::Kind::step) {
    for (int64_t learner = 1; learner < rank.learners; ++learner) receive(rank, learner, round);
  }
  return round;
}

using GradingPass = std::vector<AskedGrades>;

// Teacher by teacher, first what the learners learn from first.
std::vector<GradingPass> passes_of(std::vector<AskedGrades> round, int64_t member, int64_t tokens) {
  std::erase_if(round, [&](const AskedGrades& work) {
    return work.request.rollouts.sequences.offsets.empty() || work.request.member != member;
  });
  std::ranges::stable_sort(
      round, {}, [](const AskedGrades& work) { return std::tuple(work.place, work.learner); });
  std::vector<GradingPass> passes;
  int64_t room = 0;
  for (AskedGrades& work : round) {
    const int64_t positions = work.request.rollouts.sequences.positions();
    if (passes.empty() || positions > room) {
      passes.emplace_back();
      room = tokens;
    }
    room -= positions;
    passes.back().push_back(std::move(work));
  }
  return passes;
}

Rollouts joined(const GradingPass& pass) {
  std::vector<Tensor> tokens, masks;
  Rollouts all{.sequences = {.tokens_N = {}, .offsets = {0}}};
  for (const AskedGrades& work : pass) {
    const Packed& sequences = work.request.rollouts.sequences;
    const int64_t before = all.sequences.offsets.back();
    tokens.push_back(sequences.tokens_N);
    masks.push_back(work.request.rollouts.completion_mask_N);
    for (int64_t s = 0; s < sequences.sequences(); ++s) {
      all.sequences.offsets.push_back(before + sequences.offsets[s + 1]);
    }
  }
  all.sequences.tokens_N = at::cat(tokens);
  all.completion_mask_N = at::cat(masks);
  return all;
}

void grade_pass(const GradingRank& rank, const GradingPass& pass, std::vector<Message>& answers) {
  const Stopwatch watch;
  const Rollouts all = joined(pass);
  const LocalTeacher& teacher = *rank.graders.at(pass.front().request.member).teacher;
  const TeacherOutput output = teacher.evaluate(all);
  synchronize(rank.device);
  const double seconds_of_token = watch.seconds() / static_cast<double>(all.sequences.positions());
  const HiddenStates& states = hidden_states(output);
  int64_t row = 0;
  for (const AskedGrades& work : pass) {
    const Rollouts& rollouts = work.request.rollouts;
    const int64_t rows = rollouts.completion_mask_N.sum().item<int64_t>();
    RankReply reply{
        .step = work.request.step,
        .policy_step = rollouts.policy_step,
        .seconds = seconds_of_token * static_cast<double>(rollouts.sequences.positions()),
        .states = {.hidden_MD = states.hidden_MD.narrow(0, row, rows), .head = {}}};
    for (const Tensor& layer_MD : states.layers_MD) {
      reply.states.layers_MD.push_back(layer_MD.narrow(0, row, rows));
    }
    answers.push_back(
        rank.all->send(to_bytes(reply), work.learner, work.request.number, "sending grades"));
    row += rows;
  }
}

// Ranks that share a teacher's layers make as many passes.
std::vector<Message> grade_round(const GradingRank& rank, const std::vector<AskedGrades>& round) {
  const int64_t step = round.front().request.step;
  if (rank.on_phase) rank.on_phase(step, "grade");
  std::vector<Message> answers;
  for (size_t member = 0; member < rank.graders.size(); ++member) {
    const std::shared_ptr<LayerWeights>& layers = rank.graders[member].layers;
    const std::vector<GradingPass> passes =
        passes_of(round, static_cast<int64_t>(member),
                  layers ? gathered_grading_pass_tokens : grading_pass_tokens);
    const int64_t more = layers ? more_elsewhere(*rank.teachers, std::ssize(passes)) : 0;
    for (const GradingPass& pass : passes) grade_pass(rank, pass, answers);
    accompany(more, nullptr, {layers});
  }
  if (rank.on_phase) rank.on_phase(step, "wait for the learners");
  return answers;
}

}  // namespace

void GradingRank::send_heads() const {
  std::vector<Message> sent;
  for (int64_t learner = teachers->rank(); learner < learners; learner += teachers->size()) {
    for (const RankGrader& grader : graders) {
      sent.push_back(
          all->send(head_bytes(grader.teacher->head()), learner, 0, "sending a teacher's head"));
    }
  }
  for (Message& message : sent) message.wait();
}

int64_t GradingRank::grade() const {
  const StopSignal signal;  // the learners end the run
  int64_t ending = 0;
  std::deque<std::vector<Message>> of_steps;
  while (true) {
    const std::vector<AskedGrades> round = next_round(*this, ending);
    if (round.empty()) return ending;
    const bool of_step = round.front().request.kind == RankRequest::Kind::step;
    // Learners ask for a step when they have what they asked for so many steps before.
    if (of_step && std::ssize(of_steps) > max_staleness) {
      for (Message& message : of_steps.front()) message.wait();
      of_steps.pop_front();
    }
    std::vector<Message> answers = grade_round(*this, round);
    if (of_step) {
      of_steps.push_back(std::move(answers));
    } else {
      for (Message& message : answers) message.wait();
    }
  }
}

}  // namespace alambic
