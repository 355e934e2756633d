// How the objects of each task are put where an episode's variation wants them, once the arm has settled.
#pragma once

#include "metaworld/scene.hpp"

namespace fleet::metaworld {

/// A body of the model that an episode has moved.
struct MovedBody {
  int id = 0;  ///< 0, the world, when none is
  Vec3 position = Vec3::Zero();
};

/// A scene being set: the words that placements are written in. set_joints() ends, as the reference's do, with the
/// kinematics computed anew; move() does not, so that some tasks begin with an observation from before it.
class Stage {
 public:
  Stage(Scene& scene, mjData& data, const Variation& variation) : drawn(variation), scene_(scene), data_(data) {}

  const Variation& drawn;
  Vec3 target = Vec3::Zero();  ///< to be set: where the object must go

  [[nodiscard]] Vec3 body(const char* name) const;
  [[nodiscard]] Vec3 site(const char* name) const;
  [[nodiscard]] Vec3 geom(const char* name) const;

  /// Moves a body that is fixed to the table; at most one in a task.
  void move(const char* body, const Vec3& to);
  /// Writes positions from this index of qpos on and stops the velocities [first, last), then brings all up to date.
  void set_joints(int index, std::initializer_list<double> positions, int first_velocity, int last_velocity);
  /// The same for one joint by its name; without bringing anything up to date if `quietly`.
  void set_joint(const char* joint, double position);
  void set_joint_quietly(const char* joint, double position);
  /// The free object that comes after the arm: position kept upright as it settled.
  void put(const Vec3& object) { set_joints(kObject, {object.x(), object.y(), object.z()}, kObject, kObject + 6); }
  void forward();
  void step(int times);

  [[nodiscard]] const MovedBody& moved() const { return moved_; }

  static constexpr int kObject = 9;  ///< index of the first object's joint: after seven of the arm, two of the fingers

 private:
  Scene& scene_;
  mjData& data_;
  MovedBody moved_;
};

namespace placements {

void assembly(Stage& stage);
void basketball(Stage& stage);
void bin_picking(Stage& stage);
void box_close(Stage& stage);
void button_press(Stage& stage);
void button_press_topdown(Stage& stage);
void coffee_button(Stage& stage);
void coffee_pull(Stage& stage);
void coffee_push(Stage& stage);
void dial_turn(Stage& stage);
void disassemble(Stage& stage);
void door_close(Stage& stage);
void door_lock(Stage& stage);
void door_open(Stage& stage);
void door_unlock(Stage& stage);
void drawer_close(Stage& stage);
void drawer_open(Stage& stage);
void faucet_close(Stage& stage);
void faucet_open(Stage& stage);
void hammer(Stage& stage);
void hand_insert(Stage& stage);
void handle_press(Stage& stage);
void handle_pull(Stage& stage);
void lever_pull(Stage& stage);
void object_as_drawn(Stage& stage);
void object_on_table(Stage& stage);
void peg_insert_side(Stage& stage);
void peg_unplug_side(Stage& stage);
void plate_slide(Stage& stage);
void plate_slide_back(Stage& stage);
void plate_slide_back_side(Stage& stage);
void plate_slide_side(Stage& stage);
void push(Stage& stage);
void shelf_place(Stage& stage);
void soccer(Stage& stage);
void stick_pull(Stage& stage);
void stick_push(Stage& stage);
void sweep(Stage& stage);
void sweep_into(Stage& stage);
void window_close(Stage& stage);
void window_open(Stage& stage);

}  // namespace placements
}  // namespace fleet::metaworld
