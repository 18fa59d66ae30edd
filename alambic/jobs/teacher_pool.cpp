#include "alambic/jobs/teacher_pool.h"

#include <algorithm>
#include <numeric>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/progress.h"
#include "alambic/base/stopwatch.h"
#include "alambic/base/units.h"
#include "alambic/jobs/remote_teachers.h"
#include "alambic/jobs/same_inputs.h"
#include "alambic/jobs/sharding.h"
#include "alambic/teacher/aligned.h"
#include "alambic/teacher/digest.h"
#include "alambic/teacher/local.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/train/distillation.h"

namespace alambic {

TeacherPool::TeacherPool(const DistillPlan& plan)
    : plan_(plan),
      student_(plan.student.model),
      load_(teacher_load(plan.options.teachers, plan.load)),
      positions_(student_.model->shape().positions) {
  if (!plan.loads_teachers()) return;
  if (!plan.teachers.empty() && !plan.teachers.front().is_self()) positions_ = INT64_MAX;
  for (const PlannedTeacher& planned : plan.teachers) {
    members_.push_back(make_member(planned));
    members_.back().share = planned.share;
  }
}

// The layers of a teacher that hidden states are compared at.
std::vector<int64_t> TeacherPool::shown_layers(const Model& model) const {
  if (plan_.layer_pairs.empty()) return {};
  if (!model.has_hidden_states() || !student_.model->has_hidden_states()) {
    throw input_error(
        "--hidden-weight: the layers of {} have several streams, not one hidden state",
        (model.has_hidden_states() ? *student_.model : model).config["model_type"].dump());
  }
  std::vector<int64_t> layers;
  for (const LayerPair& pair : plan_.layer_pairs) layers.push_back(pair.teacher);
  return layers;
}

std::shared_ptr<const Teacher> TeacherPool::local(std::shared_ptr<const Model> model,
                                                  int64_t vocabulary,
                                                  std::shared_ptr<LayerWeights> layers_of) const {
  std::vector<int64_t> layers = shown_layers(*model);
  return std::make_shared<LocalTeacher>(std::move(model), vocabulary, std::move(layers),
                                        std::move(layers_of));
}

// What will have the layers of such a teacher, as --teacher-weights says; null: nobody.
std::shared_ptr<LayerWeights> TeacherPool::divided(Model& model, const std::string& name) const {
  const TeacherWeightsChoice weights = plan_.options.teachers.weights;
  if (weights != TeacherWeightsChoice::sharded && weights != TeacherWeightsChoice::host) return {};
  if (weights == TeacherWeightsChoice::host) {
    return divided_layers({std::make_shared<World>(), nullptr}, WeightSource::host, name);
  }
  if (plan_.teachers.size() > 1 && !plan_.averaged) {
    throw input_error(
        "--teacher-weights sharded needs teachers that grade every row: ranks grade together")
        .with_hint("--teacher-weight NAME=SHARE averages them; host needs no other ranks");
  }
  ShardGroups groups = groups_of_model(model, *plan_.world, plan_.options.sharding, name);
  groups.copies = nullptr;  // nothing is learned
  return divided_layers(groups, WeightSource::gathered, name);
}

std::vector<std::shared_ptr<LayerWeights>> TeacherPool::layers() const {
  std::vector<std::shared_ptr<LayerWeights>> layers;
  bool any = false;
  for (const Member& member : members_) {
    // Those from the host come without the other ranks.
    const bool gathered = member.layers && !member.layers->world().alone();
    layers.push_back(gathered ? member.layers : nullptr);
    any |= gathered;
  }
  return any ? layers : std::vector<std::shared_ptr<LayerWeights>>();
}

TeacherPool::Member TeacherPool::make_remote(const PlannedTeacher& planned) {
  const RemoteMember member = make_remote_teacher(plan_, planned);
  servers_.push_back(member.server);
  // Beside the text there must be room for the token that servers insist on writing.
  const int64_t room = member.server.positions > 0 ? member.server.positions - 1 : INT64_MAX;
  if (!member.other) positions_ = std::min(positions_, room);
  return {.source = planned.source,
          .teacher = member.teacher,
          .vocabulary = student_.vocabulary,
          .other = member.other,
          .positions = room,
          .server = member.grader};
}

bool TeacherPool::lacks_positions() const {
  return std::ranges::any_of(members_, [](const Member& member) {
    return member.server && member.server->facts().positions == 0;
  });
}

void TeacherPool::try_length(int64_t tokens) {
  for (Member& member : members_) {
    if (!member.server || member.server->facts().positions > 0) continue;
    // Its own tokenizer may write the text in more tokens; what is beyond those is masked.
    const int64_t longest = member.other ? 2 * tokens : tokens;
    member.server->try_length(longest);
    const int64_t found = member.server->facts().positions;
    if (member.other) member.positions = found > 0 ? found - 1 : longest;
    if (found == 0) continue;
    say("{} holds texts of {} tokens", member.server->settings().endpoint.name(), found);
    if (!member.other) positions_ = std::min(positions_, found - 1);
    std::ranges::find(servers_, member.source.name, &ServerRecord::teacher)->positions = found;
  }
}

TeacherPool::Member TeacherPool::make_member(const PlannedTeacher& planned) {
  const TeacherOptions& options = plan_.options.teachers;
  const NamedFolder& source = planned.source;
  const bool cached = !options.cache.empty();
  if (planned.endpoint) return make_remote(planned);
  if (planned.is_self()) {
    if (cached)
      throw input_error("--teacher-cache cannot keep --teacher self: the student changes");
    // Not owned: the student is there for longer.
    const std::shared_ptr<const Model> self(std::shared_ptr<const Model>(), student_.model.get());
    return {.source = source,
            .teacher = local(self, student_.vocabulary, plan_.layers),
            .layers = plan_.layers};
  }
  LoadOptions load = load_;
  load.head_only = cached;
  const Pretrained& about = planned.model->model;
  Member member{.source = source, .vocabulary = about.vocabulary};
  if (planned.difference.empty()) {
    positions_ = std::min(positions_, about.model->shape().positions);
  } else if (options.cross_tokenizer == CrossTokenizer::none) {
    check_same_vocabulary(student_, about, plan_.options.student, source.folder);
  } else {
    member.other = std::make_shared<OtherTokenizer>(plan_, planned);
    member.positions = about.model->shape().positions;
  }
  if (plan_.teacher_ranks) {
    shown_layers(*about.model);
    member.teacher =
        std::make_shared<RankTeacher>(plan_.teacher_ranks, std::ssize(members_), load.device);
    return member;
  }
  if (!cached) {
    member.layers = divided(*about.model, "the teacher " + source.folder);
    load.layers = member.layers.get();
    load.frozen &= member.layers == nullptr;  // packed weights do not come and go
    std::unique_ptr<Model> model = load_model(source.folder, load);
    require_same_weights(*plan_.world, *model, load.layers, "the teacher " + source.folder);
    take_over(*model, load.layers);
    member.teacher = local(std::move(model), member.vocabulary, member.layers);
    return member;
  }
  if (options.cache_topk > student_.vocabulary) {
    throw input_error("--teacher-cache-topk is {}, but there are {} tokens", options.cache_topk,
                      student_.vocabulary)
        .with_hint("hidden states, without the option, give the probabilities of all of them");
  }
  const bool topk = options.cache_topk > 0;
  const CacheManifest needed{
      .form = topk ? CacheForm::topk : CacheForm::hidden,
      .dtype = topk || options.cache_dtype == DtypeChoice::float32 ? "float32" : "bfloat16",
      .width = about.model->shape().width,
      .topk = options.cache_topk,
      .temperature = topk ? plan_.options.loss.kd_temperature : 1,
      .teacher = source.folder,
      .teacher_digest = model_digest(source.folder),
      .tokenizer_digest = about.tokenizer.digest(),
      .template_digest = template_digest(source.folder),
      .vocabulary = member.vocabulary,
      .computed_in = load.dtype == at::kFloat ? "float32" : "bfloat16"};
  member.cache = std::make_shared<TeacherCache>(fs::path(options.cache) / source.name, needed);
  const auto head = [folder = source.folder, load, vocabulary = member.vocabulary] {
    return load_model(folder, load)->head().cut(vocabulary);
  };
  member.teacher = std::make_shared<CachedTeacher>(member.cache, head_cache_, head);
  return member;
}

std::vector<RankGrader> TeacherPool::graders() const {
  std::vector<RankGrader> graders;
  const auto layers = this->layers();
  for (const Member& member : members_) {
    auto teacher = std::dynamic_pointer_cast<const LocalTeacher>(member.teacher);
    check(teacher != nullptr, "{} has a rank and no model", member.source.folder);
    graders.push_back({.teacher = std::move(teacher),
                       .layers = layers.empty() ? nullptr : layers[graders.size()]});
  }
  return graders;
}

const Model* TeacherPool::only_model() const {
  if (members_.size() != 1) return nullptr;
  const auto* local = dynamic_cast<const LocalTeacher*>(members_.front().teacher.get());
  return local == nullptr ? nullptr : &local->model();
}

std::vector<size_t> TeacherPool::route(const GradedRows& rows) const {
  std::vector<std::string> names;
  for (const Member& member : members_) names.push_back(member.source.name);
  std::vector<size_t> teacher_of_row;
  for (const Example example : rows.examples) {
    if (!example.teacher) {
      throw input_error("{}: no field \"teacher\" says which of {} grades the row", example.place,
                        join(names))
          .with_hint("with --teacher-weight all teachers grade every row");
    }
    const auto place = std::ranges::find(names, *example.teacher);
    if (place == names.end()) {
      throw input_error("{}: no teacher is called \"{}\"; there are: {}", example.place,
                        *example.teacher, join(names));
    }
    teacher_of_row.push_back(place - names.begin());
  }
  return teacher_of_row;
}

TeacherPrompts TeacherPool::prompts_of(const GradedRows& rows) const {
  TeacherPrompts prompts(rows.examples.size());
  bool any = false;
  for (size_t r = 0; r < prompts.size(); ++r) {
    if (!rows.examples.may_have(r, "teacher_prompt")) continue;
    const Example example = rows.examples[r];
    if (!example.teacher_prompt) continue;
    any = true;
    prompts[r] = teacher_prompt_ids(student_.tokenizer, example);
    const auto completion = rows.tokenized[r].completion;
    const int64_t room = std::max(rows.max_completion, completion ? std::ssize(*completion) : 0);
    const int64_t length = std::ssize(prompts[r]);
    if (length == 0 || length + room > positions_) {
      throw input_error(
          "{}: the teacher's prompt has {} tokens; it needs at least one and, with a completion "
          "of up to {}, at most the teacher's context of {}",
          example.place, length, room, positions_);
    }
  }
  return any ? prompts : TeacherPrompts();
}

// In its own tokens, one for every row.
TeacherPrompts TeacherPool::own_prompts_of(const Member& member, const GradedRows& rows) const {
  TeacherPrompts prompts;
  for (const Example example : rows.examples) {
    prompts.push_back(member.other->prompt(example));
    const int64_t length = std::ssize(prompts.back());
    if (length == 0 || length >= member.positions) {
      throw input_error(
          "{}: the prompt has {} tokens of {}; it needs at least one, and fewer than its context "
          "of "
          "{}",
          example.place, length, member.source.folder, member.positions);
    }
  }
  return prompts;
}

// Grades these rows where the cache lacks them, in batches of some thousand tokens. `read`: the
// rollouts as the teacher sees them.
void TeacherPool::fill(const Member& member, const GradedRows& rows, const Read& read,
                       const std::vector<size_t>& graded) const {
  constexpr int64_t tokens_per_pass = 4096;
  std::vector<Rollouts> batches;
  std::vector<TokenizedExample> chosen;
  std::vector<int64_t> chosen_rows;
  int64_t tokens = 0;
  const auto see = [&](Rollouts rollouts, std::vector<int64_t> numbers) {
    rollouts.row_S = std::move(numbers);
    return read(rollouts);
  };
  const auto close = [&] {
    if (!chosen.empty()) batches.push_back(see(given_rollouts(chosen, load_.device), chosen_rows));
    chosen.clear();
    chosen_rows.clear();
    tokens = 0;
  };
  for (const size_t r : graded) {
    const auto number = static_cast<int64_t>(r);
    const TokenizedExample example = rows.tokenized[number];
    const Rollouts alone = see(given_rollouts({example}, at::kCPU), {number});
    if (member.cache->holds(sequence_keys(alone).front())) continue;
    if (tokens + alone.sequences.positions() > tokens_per_pass) close();
    chosen.push_back(example);
    chosen_rows.push_back(number);
    tokens += alone.sequences.positions();
  }
  close();
  if (batches.empty()) return;
  Stopwatch watch;
  const LocalTeacher teacher(load_model(member.source.folder, load_), member.vocabulary);
  Progress progress("teacher cache", std::ssize(batches));
  for (size_t i = 0; i < batches.size(); ++i) {
    member.cache->fill(teacher, batches[i]);
    progress.update(static_cast<int64_t>(i) + 1, "grade", "");
  }
  member.cache->flush();
  progress.finish();
  const CacheManifest& manifest = member.cache->manifest();
  say("teacher cache: {} graded tokens of {}, {} each, {} in all, filled in {:.1f} s",
      manifest.positions(), member.source.folder, human_bytes(manifest.bytes_per_position()),
      human_bytes(manifest.positions() * manifest.bytes_per_position()), watch.seconds());
}

// Has rank 0 fill the cache; the others read it then.
void TeacherPool::keep(const Member& member, const GradedRows& rows, const Read& read,
                       const std::vector<size_t>& graded) const {
  const World& world = *plan_.world;
  world.wait_for_all("opening the teacher's cache");  // who opened a half begun one would refuse it
  if (world.leads()) fill(member, rows, read, graded);
  world.wait_for_all("waiting for rank 0's teachers");
  if (!world.leads()) member.cache->read_added();
}

std::shared_ptr<const Teacher> TeacherPool::over(const Member& member, const GradedRows& rows,
                                                 const std::vector<size_t>& graded) const {
  if (member.other) {
    const auto aligned = std::make_shared<AlignedTeacher>(member.teacher, member.other->aligner(),
                                                          own_prompts_of(member, rows),
                                                          member.positions, member.other->cells());
    const auto read = [&](const Rollouts& rollouts) { return aligned->read(rollouts).rollouts; };
    if (member.cache) keep(member, rows, read, graded);
    return aligned;
  }
  TeacherPrompts prompts = prompts_of(rows);
  if (prompts.empty() && member.source.folder == "self") {
    throw input_error(
        "{}: no row has a \"teacher_prompt\", so that the student as its own teacher has nothing "
        "to teach",
        rows.examples.name());
  }
  const auto read = [&](const Rollouts& rollouts) {
    return prompts.empty() ? rollouts : with_prompts(rollouts, prompts);
  };
  if (member.cache) keep(member, rows, read, graded);
  if (prompts.empty()) return member.teacher;
  return std::make_shared<PrivilegedTeacher>(member.teacher, std::move(prompts));
}

TeacherMixture TeacherPool::over(const GradedRows& rows) const {
  if (members_.empty()) return TeacherMixture::none();
  std::vector<size_t> all(rows.examples.size());
  std::iota(all.begin(), all.end(), 0);
  if (plan_.averaged || members_.front().source.name.empty()) {
    std::vector<WeightedTeacher> teachers;
    for (const Member& member : members_) {
      teachers.push_back({.teacher = over(member, rows, all), .weight = member.share});
    }
    return TeacherMixture::averaged(std::move(teachers));
  }
  std::vector<size_t> teacher_of_row = route(rows);
  std::vector<std::shared_ptr<const Teacher>> teachers;
  for (size_t t = 0; t < members_.size(); ++t) {
    std::vector<size_t> own = all;
    std::erase_if(own, [&](size_t row) { return teacher_of_row[row] != t; });
    teachers.push_back(over(members_[t], rows, own));
  }
  return TeacherMixture::routed(std::move(teachers), std::move(teacher_of_row));
}

}  // namespace alambic
