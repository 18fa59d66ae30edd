// Plan of a distillation, worked out once from its options.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "alambic/dist/world.h"
#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/rank_roles.h"
#include "alambic/jobs/teacher_options.h"
#include "alambic/model/pretrained.h"
#include "alambic/objective/parse.h"
#include "alambic/remote/budget.h"
#include "alambic/remote/endpoint.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/teacher_ranks.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/text/dataset.h"
#include "alambic/train/hidden_match.h"

namespace alambic {

class LayerWeights;

/// Model without its weights: shapes, tokenizer, stop tokens.
struct MetaModel {
  std::string folder;
  Pretrained model;
};

struct PlannedTeacher {
  NamedFolder source;
  double share = 1;                ///< share of the loss, with --teacher-weight
  std::optional<MetaModel> model;  ///< nothing: the student itself, or behind an address
  std::optional<Endpoint> endpoint = {};
  std::string difference = {};  ///< how its vocabulary differs from the student's; "": it does not

  bool is_self() const { return !model && !endpoint; }
};

/// Everything about a run that is known before a weight is read: what its preflight, its check and
/// the run itself share.
struct DistillPlan {
  DistillOptions options;
  Objective objective;          ///< its policy at the sampler's temperature
  LoadOptions load;             ///< loading of models that are only read
  double available_memory = 0;  ///< bytes free before anything was loaded; infinite: not known
  MetaModel student;            ///< trained tensors are marked
  ChatSource chats;             ///< the template by which conversations are written
  std::vector<PlannedTeacher> teachers;
  bool averaged = false;  ///< every teacher grades every row (--teacher-weight)
  std::optional<MetaModel> judge;
  Examples rows;                       ///< rows of --data
  std::vector<LayerPair> layer_pairs;  ///< layers with compared hidden states; empty: none
  std::shared_ptr<Budget> budget;      ///< of all that servers are asked
  EngineOptions engine;  ///< how the student's completions are drawn, but for a mixed-in teacher
  RankRoles roles = {};
  /// Ranks that share each step's rows: the learners; of a teacher's own rank those of its kind.
  std::shared_ptr<const World> world = roles.own;
  std::shared_ptr<TeacherRanks> teacher_ranks = nullptr;  ///< null: the teachers are here
  std::shared_ptr<LayerWeights> layers = nullptr;  ///< the loaded student's; null: all are here

  /// Nothing is read but headers, tokenizers and the rows, so that a run that does not fit into
  /// memory is told before it is loaded. Input errors: those of check_options, of the models and of
  /// the data, a hidden layer that is not there.
  explicit DistillPlan(const DistillOptions& options);

  /// Whether teachers are loaded beside the student: not where they only write completions and
  /// none compares the student with them.
  bool loads_teachers() const;
  /// Models of the teachers that have a folder; of those with the student's vocabulary.
  std::vector<const MetaModel*> teacher_models() const;
  std::vector<const MetaModel*> alike_models() const;
};

/// The plan of a rank, with its part of the machine's threads.
DistillPlan plan_of_rank(const DistillOptions& options, const RankRoles& roles);

/// Options to load teachers with: as everything that is only read, in --teacher-dtype.
LoadOptions teacher_load(const TeacherOptions& options, LoadOptions load);

}  // namespace alambic
