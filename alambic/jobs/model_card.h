#pragma once

#include <string>
#include <utility>
#include <vector>

#include "alambic/base/metrics.h"

namespace alambic {

struct ModelCard {
  std::string library = "transformers";  ///< that loads the folder
  std::string title;
  std::string base_model;  ///< folder the training began with
  std::string teacher;     ///< empty: none
  std::vector<std::string> tags;
  std::vector<std::pair<std::string, std::string>> facts;  ///< "objective", "reverse KL", …
  Metrics figures;                                         ///< figures of the finished model
  std::vector<std::string> duties;                         ///< of those who pass the model on
  std::string config;                                      ///< the resolved config.toml
};

/// README.md of a model folder, with the front matter that model hubs read.
std::string model_card(const ModelCard& card);

}  // namespace alambic
