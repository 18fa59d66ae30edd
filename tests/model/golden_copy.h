#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "alambic/io/model_folder.h"
#include "alambic/model/load.h"
#include "alambic/tensor/view.h"
#include "tests/golden_models.h"

namespace alambic {

/// A golden model whose configuration and tensors a test changes before they are loaded again.
struct GoldenCopy {
  std::filesystem::path path;
  std::unique_ptr<Model> model;
  Json config;
  std::vector<std::pair<std::string, Tensor>> tensors;

  explicit GoldenCopy(const std::string& name)
      : path(std::filesystem::path(testing::TempDir()) / ("alambic_copy_" + name)),
        model(load_model(golden_folder(name), {})),
        config(model->config) {
    std::filesystem::remove_all(path);
    model->visit(
        [&](const std::string& name, Tensor& tensor) { tensors.emplace_back(name, tensor); });
  }
  std::unique_ptr<Model> load() {
    write_model_folder(path, config, nullptr, to_views(tensors));
    return load_model(path, {});
  }
};

}  // namespace alambic
