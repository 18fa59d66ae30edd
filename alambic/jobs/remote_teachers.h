// Teachers behind an address: what of a plan concerns them.
#pragma once

#include <memory>

#include "alambic/jobs/distill_plan.h"
#include "alambic/jobs/other_tokenizer.h"
#include "alambic/remote/server_record.h"
#include "alambic/teacher/remote.h"

namespace alambic {

/// Money and tokens of all servers of a run.
std::shared_ptr<Budget> budget_of(const RemoteOptions& options);

ClientOptions client_options(const RemoteOptions& options);

/// Refuses by name what a server cannot do for the objective, before anything is asked of it.
void check_remote(const DistillOptions& options, const Objective& objective);

/// A teacher whose server has been probed, and what was found.
struct RemoteMember {
  std::shared_ptr<const Teacher> teacher;
  ServerRecord server;
  std::shared_ptr<RemoteGrader> grader;
  std::shared_ptr<const OtherTokenizer> other;  ///< null: it has the student's; else outlives both
};

/// The teacher of a plan that has an endpoint: hidden states where its server has them and the
/// objective needs them, else the K most likely tokens (and with another tokenizer the written one)
/// or one number a token, which is all that spans of another tokenizer take. Replies are kept in
/// `remote` of the run's folder, where there is one. Errors: those of RemoteGrader::probe, and what
/// the server cannot do for the objective.
RemoteMember make_remote_teacher(const DistillPlan& plan, const PlannedTeacher& teacher);

}  // namespace alambic
