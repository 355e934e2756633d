// MuJoCo's objects as C++ owns them, and what every world on it shares.
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <string>

namespace fleet::simulation {

struct FreeModel {
  void operator()(mjModel* model) const { mj_deleteModel(model); }
};
struct FreeData {
  void operator()(mjData* data) const { mj_deleteData(data); }
};
struct FreeSpec {
  void operator()(mjSpec* spec) const { mj_deleteSpec(spec); }
};
using ModelPointer = std::unique_ptr<mjModel, FreeModel>;
using DataPointer = std::unique_ptr<mjData, FreeData>;
using SpecPointer = std::unique_ptr<mjSpec, FreeSpec>;

/// MuJoCo tells of trouble through two hooks of the whole process; left alone they write a file and end the program.
/// Afterwards its errors are thrown as Error, and its warnings are only counted in mjData, where has_diverged() reads
/// them. To be called before a model is made.
void install_engine_hooks();

/// "MuJoCo 3.3.0", as it is linked.
[[nodiscard]] std::string engine_version();

/// Whether a step has met something not finite since the data were reset.
[[nodiscard]] bool has_diverged(const mjData& data);

}  // namespace fleet::simulation
