// Models with their tokenizers, as commands need them.
#pragma once

#include <memory>
#include <string>

#include "alambic/model/load.h"
#include "alambic/tensor/machine_options.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Sets the threads and says where and in which dtype models are to be loaded: frozen, since all
/// but the student are only read.
LoadOptions prepare_machine(const MachineOptions& machine);

struct Pretrained {
  std::unique_ptr<Model> model;
  Tokenizer tokenizer;
  Json generation_config;            ///< null when the folder has none
  std::vector<int32_t> stop_tokens;  ///< EOS of generation_config, config and tokenizer
  int64_t vocabulary = 0;            ///< the tokenizer's size; the model may have padded rows
};

Pretrained from_pretrained(const std::string& folder, const LoadOptions& options);

/// Refuses a teacher whose vocabulary is not the student's, saying how they differ.
void check_same_vocabulary(const Pretrained& student, const Pretrained& teacher,
                           const std::string& student_folder, const std::string& teacher_folder);

/// Writes a folder that any tool can load: weights (in `save_dtype`; automatic: as in memory),
/// config, generation config, tokenizer and a model card. `layers` as save_model's.
void export_model(Pretrained& loaded, const std::string& folder, const std::string& card,
                  DtypeChoice save_dtype, LayerWeights* layers = nullptr);

}  // namespace alambic
