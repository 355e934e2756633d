// What a robot does for the short rounds after a merge: a short run of training, and how its loss curves. Seen only
// inside src/torch.
#pragma once

#include "torch/classroom.hpp"

namespace fleet {

/// Weights after `steps` on `samples` (LocalData::take_steps), batches drawn from `stream`. Error when the loss is no
/// longer finite.
[[nodiscard]] ParamVector run_short(Classroom& classroom, std::span<const std::int32_t> samples,
                                    const ParamVector& start, const LocalSteps& steps, RandomStream stream,
                                    const GradientTerm* term);

/// Of `samples` at `at` (LocalData::curvature) all but what enters the maps: MapCurvature::outputs alone.
[[nodiscard]] Curvature gather_curvature(Classroom& classroom, std::span<const std::int32_t> samples,
                                         const ParamVector& at, RandomStream& stream);

}  // namespace fleet
