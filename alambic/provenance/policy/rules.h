// What licenses and terms say of training on a model's outputs, as data: facts with a source and a
// day, not legal advice.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// What a rule permits, the strictest last.
enum class Permit { yes, conditional, ask, no };

std::string permit_name(Permit permit);

/// In what form a teacher teaches: texts that it wrote, probabilities of tokens, hidden states.
enum class Teaching { text, logits, states };

std::string teaching_name(Teaching form);

/// Terms of models or data with one license.
struct LicenseRule {
  std::string id;                     ///< "llama-3.1"
  std::vector<std::string> licenses;  ///< ids by which texts and cards name it
  std::string text;                   ///< plain words by which a LICENSE file is known
  std::vector<std::string> names;  ///< patterns of hub names and folders: "meta-llama/Llama-3.1*"
  std::vector<std::string> hosts;  ///< of endpoints: "api.openai.com"
  /// To train another model on its texts, its grades of tokens, its hidden states (by Teaching).
  std::array<Permit, 3> as_teacher = {Permit::ask, Permit::ask, Permit::ask};
  Permit as_student = Permit::ask;           ///< to train it, and to serve it
  Permit as_data = Permit::ask;              ///< to train on it
  std::vector<std::string> except_students;  ///< patterns of students for which the teacher is fine
  std::string name_prefix;                   ///< that a student's folder must begin with; "": none
  std::string condition;                     ///< what must be attested, in words; "": nothing
  std::vector<std::string> obligations;      ///< "notice", "display Built with Llama", …
  std::string says;                          ///< what it says, in words
  std::string source, as_of;                 ///< as_of "2026-02-24"
};

/// Devices that an operator has declared.
struct DeclaredDevice {
  std::string name;                ///< a pattern: "NVIDIA H200*"
  std::vector<std::string> uuids;  ///< empty: any
  int64_t max_count = 0;           ///< 0: any
};

struct HardwareRule {
  bool declared = false;  ///< whether there is a list: without one any machine will do
  bool cpu = true;        ///< whether a run without a GPU is fine
  std::vector<DeclaredDevice> devices;
  bool ecc = false;        ///< must be on
  bool no_mig = false;     ///< must be off
  std::string driver_min;  ///< "570"; "": any
};

struct PolicyRules {
  std::vector<LicenseRule> licenses;  ///< the first that matches counts
  HardwareRule hardware;
  Permit undeclared = Permit::yes;  ///< of a model or data of which nothing tells a license
  Permit unknown = Permit::ask;     ///< of a license that no rule knows
  std::string sha256;               ///< of the shipped table and the overlay
  std::string signer;               ///< of the overlay, where somebody had to sign it
  /// Shipped rules that the overlay made less strict, and why.
  std::vector<std::pair<std::string, std::string>> loosened;
};

/// The shipped table, with the overlay in `file` ("" for none) before it. Input errors name the
/// file and the rule: an unknown key, a rule without a source or a day, a value of another type,
/// one that is less strict than the shipped rule of its id and gives no `reason`.
PolicyRules read_rules(const fs::path& file);

/// Whether `text` is `pattern`, in which * stands for anything; letters in any case.
bool matches(std::string_view text, std::string_view pattern);

}  // namespace alambic
