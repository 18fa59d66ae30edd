// The model families that GGUF and Hugging Face folders both know: llama.cpp's names and
// conventions (its convert_hf_to_gguf.py and gguf-py's tensor_mapping.py) beside transformers'. A
// family is a row of tables and, where it says things in other words, functions: both in a file of
// architectures/.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/io/count_limits.h"
#include "alambic/io/gguf/value.h"

namespace alambic {

/// Difference of a GGUF tensor from the one of the Hugging Face folder.
enum class GgufTransform {
  none,
  query_rows,  ///< the two halves of each head interleaved, as llama.cpp rotates pairs
  key_rows,    ///< the same, with the key heads
  transpose,   ///< GPT-2's [in, out] is [out, in]
  head_parts,  ///< GPT-NeoX's q, k, v of each head in turn; GGUF has all q, all k, all v
  plus_one,    ///< Gemma's norms scale by 1 + weight; GGUF has the sum
  // Parts of a tensor that the folder has whole (parts.h):
  latent_keys,         ///< the keys of kv_b_proj [H · (n + v), L], as [H, L, n]
  latent_values,       ///< its values, as [H, v, L]
  even_columns,        ///< gates of gate_up_proj [E, D, 2F], as [E, F, D]; of its bias, [E, F]
  odd_columns,         ///< its up-projections, in the same shapes
  transposed_experts,  ///< down_proj [E, F, D], as [E, D, F]
  // Gated DeltaNet, whose value heads stand in another order (delta_net.h):
  value_rows,      ///< the rows of the value heads, which are the last
  value_channels,  ///< the same of a convolution [C, 1, K], which is [C, K]
  value_columns,   ///< their columns
  decay,           ///< A_log; GGUF has -exp of it
  one_row,         ///< [1, D] is [D]
};

/// Names without ".weight" and ".bias"; the first {} is the layer, a second one in `hf` the expert:
/// GGUF has the experts' matrices one after another in one tensor.
struct GgufTensorRow {
  std::string_view gguf, hf;
  GgufTransform change = GgufTransform::none;
  /// ".weight", ".bias", ".scale" or nothing, with which GGUF ends the name where the folder's ends
  /// as it is.
  std::optional<std::string_view> suffix = {};
};

/// A hyper-parameter: the key after "<architecture>." and the name in config.json.
struct GgufSetting {
  std::string_view gguf, hf;
  enum Kind {
    layers,  ///< the counts: what they are held against is CountKind's
    experts,
    size,
    length,  ///< an integer that no tensor tells: positions, windows
    real,
    flag
  } kind = size;
  std::string_view otherwise = {};  ///< JSON, for a config.json without it; "": it is left out
  bool required = false;            ///< both files must have it (after `otherwise`)
};

struct GgufArchitecture;

/// A file that is being read.
struct GgufReading {
  const GgufArchitecture& family;
  const GgufMetadata& metadata;
  const std::vector<TensorView>& tensors;  ///< the file's, under its own names

  std::string prefix() const;  ///< start of metadata keys: "<architecture>."
};

/// Metadata that are being written.
struct GgufWriting {
  const GgufArchitecture& family;
  const CountLimits& limits;
  const std::string& where;  ///< name of the model in errors
  GgufMetadata& metadata;

  std::string prefix() const;
};

/// Tensors of numbers that divide the frequencies of rotary positions, by name.
using GgufFrequencies = std::map<std::string, std::vector<float>>;

/// Functions for what a family's tables cannot say; null: nothing. Input errors name the file and
/// the key or tensor, and refuse what llama.cpp cannot express.
struct GgufWords {
  /// Completes the config.json that the tables and, where there are rotary settings, "head_dim" and
  /// "rope_parameters" have made.
  void (*read)(const GgufReading& from, nlohmann::ordered_json& config) = nullptr;
  /// Completes config.json before the tables are applied: defaults, older spellings. May add
  /// metadata.
  void (*complete)(const GgufWriting& to, nlohmann::ordered_json& config) = nullptr;
  /// Makes `rope`, a plain object of rope_type, rope_theta, factor, …, one that llama.cpp has,
  /// before it is written. For rotary families only.
  void (*rope)(const GgufWriting& to, const nlohmann::ordered_json& config, int64_t head_dim,
               nlohmann::ordered_json& rope) = nullptr;
  /// Whether a completed config.json says that the model has no such tensor, by its name there.
  bool (*is_switched_off)(const nlohmann::ordered_json& config, const std::string& name,
                          const std::string& where) = nullptr;
  /// Adds other metadata after the tables; `rope` as above.
  GgufFrequencies (*add)(const GgufWriting& to, const nlohmann::ordered_json& config,
                         nlohmann::ordered_json& rope) = nullptr;
};

struct GgufArchitecture {
  std::string_view name;          ///< general.architecture
  std::string_view model_type;    ///< "model_type" of config.json
  std::string_view architecture;  ///< entry of config.json's "architectures"
  std::span<const GgufSetting> settings;
  std::span<const GgufTensorRow> tensors;
  /// JSON object: what config.json must say where it says anything, because llama.cpp assumes it.
  std::string_view constants;
  bool rotary = true;       ///< has rope settings and head_dim
  bool bias_flags = false;  ///< attention_bias and mlp_bias follow from the tensors
  bool unbiased = false;    ///< attention has no biases, whatever config.json says
  bool tied = false;        ///< the head, of a config.json that does not say
  bool windowless = false;  ///< llama.cpp ignores its sliding window
  /// "architectures" of a model that also sees or hears, whose "text_config" this is.
  std::string_view whole = {};
  GgufWords words = {};
};

/// All families, those with the same GGUF name together: the first is what a file becomes.
std::vector<const GgufArchitecture*> gguf_architectures();
/// Reason why an entry of "architectures" that Alambic can load has no row; "": none is known.
std::string_view why_no_gguf(std::string_view architecture);

/// The first family of that name in GGUF; input errors list the known ones and name `where`.
const GgufArchitecture& gguf_architecture(std::string_view name, const std::string& where);
/// The family of config.json's "architectures" or "model_type"; the same errors.
const GgufArchitecture& gguf_architecture_of(const nlohmann::ordered_json& config,
                                             const std::string& where);

/// A tensor's place in the table.
struct GgufTensorMatch {
  const GgufTensorRow* row = nullptr;
  int64_t layer = -1;
  int64_t expert = -1;
  std::string suffix;  ///< end of the name in GGUF

  std::string gguf_name() const;
  std::string hf_name() const;
  bool has_experts() const;
};
std::optional<GgufTensorMatch> place_of_gguf(const GgufArchitecture& family, std::string_view name);
/// Places in GGUF of a tensor of the folder: one, or one for each part that it is kept in; none: it
/// is not written.
std::vector<GgufTensorMatch> places_of_hf(const GgufArchitecture& family, std::string_view name);

}  // namespace alambic
