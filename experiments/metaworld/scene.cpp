#include "metaworld/scene.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/fetch.hpp"

namespace fleet::metaworld {
namespace {

namespace fs = std::filesystem;

/// Every texture becomes one pixel that no file is read for.
void blank_textures(mjSpec& spec) {
  for (mjsElement* element = mjs_firstElement(&spec, mjOBJ_TEXTURE); element != nullptr;
       element = mjs_nextElement(&spec, element)) {
    mjsTexture* texture = mjs_asTexture(element);
    mjs_setString(texture->file, "");
    texture->builtin = mjBUILTIN_FLAT;
    texture->width = 1;
    texture->height = 1;
  }
}

/// Geoms that touch nothing are discarded, unless a sensor needs them: one for each geom that is observed.
void discard_visuals(mjSpec& spec, const TaskSpec& task) {
  spec.compiler.discardvisual = 1;
  for (const auto& object : task.objects) {
    if (!object) continue;
    for (const Frame& frame : {object->position, object->orientation}) {
      if (frame.kind != Frame::Kind::kGeom) continue;
      mjsSensor* sensor = mjs_addSensor(&spec);
      sensor->type = mjSENS_FRAMEPOS;
      sensor->objtype = mjOBJ_GEOM;
      mjs_setString(sensor->objname, frame.name);
    }
  }
}

simulation::ModelPointer compile(const TaskSpec& task, const fs::path& file, Scene::Detail detail) {
  std::array<char, 1024> reason{};
  const simulation::SpecPointer spec(mj_parseXML(file.c_str(), nullptr, reason.data(), reason.size()));
  require(spec != nullptr, file.string(), " cannot be read: ", reason.data());
  if (detail == Scene::Detail::kPhysics) {
    blank_textures(*spec);
    discard_visuals(*spec, task);
  }
  simulation::ModelPointer model(mj_compile(spec.get(), nullptr));
  require(model != nullptr, file.string(), " does not compile: ", mjs_getError(spec.get()));
  return model;
}

void require_assets(const fs::path& path) {
  require(fs::exists(path), "there is no ", path.string(), ": Meta-World 3.1.1's scenes are fetched by ",
          "`fleet data fetch metaworld`, or name the folder that holds them in METAWORLD_ASSETS");
}

mjtObj object_type(Frame::Kind kind) {
  switch (kind) {
    case Frame::Kind::kBody:
      return mjOBJ_BODY;
    case Frame::Kind::kSite:
      return mjOBJ_SITE;
    case Frame::Kind::kGeom:
      return mjOBJ_GEOM;
  }
  return mjOBJ_UNKNOWN;
}

/// A name for the files with these extensions below a folder, by their paths and bytes.
std::string digest_of_files(const fs::path& assets, std::initializer_list<std::string_view> extensions) {
  require_assets(assets);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(assets, fs::directory_options::follow_directory_symlink)) {
    const bool wanted = std::ranges::find(extensions, entry.path().extension()) != extensions.end();
    if (wanted && entry.is_regular_file()) files.push_back(fs::relative(entry.path(), assets));
  }
  std::sort(files.begin(), files.end());
  Hash digest;
  for (const fs::path& file : files) {
    std::ifstream in(assets / file, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    require(in.is_open() && !in.bad(), (assets / file).string(), " cannot be read");
    digest.add(file.generic_string()).add(bytes);
  }
  return digest.hex();
}

}  // namespace

fs::path default_assets() {
  const char* const chosen = std::getenv("METAWORLD_ASSETS");
  return chosen != nullptr && *chosen != '\0' ? fs::path(chosen) : default_data_directory() / "metaworld";
}

std::string digest_of_scenes(const fs::path& assets) {
  return digest_of_files(assets, {".xml", ".stl"});
}

std::string digest_of_textures(const fs::path& assets) {
  return digest_of_files(assets, {".png"});
}

Scene::Scene(int task, const fs::path& assets, Detail detail)
    : id_(task), task_(&task_of(task)), file_(assets / "sawyer_xyz" / cat("sawyer_", task_->scene, ".xml")) {
  simulation::install_engine_hooks();
  require_assets(file_);
  model_ = compile(*task_, file_, detail);
  overwrite_welds();
  resolve();
}

/// The reference replaces what the scene says of the weld between the mocap body and the hand: 11 numbers of anchor,
/// relative pose and torque scale.
void Scene::overwrite_welds() {
  constexpr std::array<mjtNum, 11> kWeld = {0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5};
  for (int i = 0; i < model_->neq; ++i) {
    if (model_->eq_type[i] == mjEQ_WELD) mju_copy(model_->eq_data + mjNEQDATA * i, kWeld.data(), kWeld.size());
  }
}

void Scene::resolve() {
  ids_ = {.hand = id(mjOBJ_BODY, "hand"),
          .right_claw = id(mjOBJ_BODY, "rightclaw"),
          .left_claw = id(mjOBJ_BODY, "leftclaw"),
          .right_finger = id(mjOBJ_SITE, "rightEndEffector"),
          .left_finger = id(mjOBJ_SITE, "leftEndEffector"),
          .right_pad = id(mjOBJ_GEOM, "rightpad_geom"),
          .left_pad = id(mjOBJ_GEOM, "leftpad_geom")};
  require(model_->nmocap == 1 && model_->nu == 2, file_.string(), ": expected one mocap body and two actuators, found ",
          model_->nmocap, " and ", model_->nu, "; is it Meta-World 3.1.1's?");
  for (std::size_t i = 0; i < task_->objects.size(); ++i) {
    const auto& object = task_->objects[i];
    if (!object) continue;
    ids_.position[i] = id(object->position);
    const bool turned = object->quaternion == ObservedObject::Quaternion::kBody ||
                        object->quaternion == ObservedObject::Quaternion::kMatrix;
    if (turned) ids_.orientation[i] = id(object->orientation);
  }
  if (task_->probe) ids_.probe = id(*task_->probe);
  if (task_->joint != nullptr) ids_.joint_address = model_->jnt_qposadr[id(mjOBJ_JOINT, task_->joint)];
  if (task_->grasped != nullptr) ids_.grasped = id(mjOBJ_GEOM, task_->grasped);
}

int Scene::id(mjtObj type, const char* name) const {
  const int found = mj_name2id(model_.get(), type, name);
  require(found >= 0, file_.string(), ": there is no ", mju_type2Str(type), " called ", name,
          "; is it Meta-World 3.1.1's?");
  return found;
}

int Scene::id(const Frame& frame) const {
  return id(object_type(frame.kind), frame.name);
}

Vec3 position_of(const mjData& data, Frame::Kind kind, int id) {
  const mjtNum* const all = kind == Frame::Kind::kBody   ? data.xpos
                            : kind == Frame::Kind::kSite ? data.site_xpos
                                                         : data.geom_xpos;
  return Vec3::Map(all + 3 * id);
}

const mjtNum* matrix_of(const mjData& data, Frame::Kind kind, int id) {
  const mjtNum* const all = kind == Frame::Kind::kBody   ? data.xmat
                            : kind == Frame::Kind::kSite ? data.site_xmat
                                                         : data.geom_xmat;
  return all + 9 * id;
}

}  // namespace fleet::metaworld
