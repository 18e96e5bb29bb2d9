# One occurrence of one playbook, as a Fargate task that EventBridge Scheduler starts. The scheduler delivers at least
# once and hands over the time that is meant (<aws.scheduler.scheduled-time>): fired twice, the occurrence is carried out
# once. Runs are kept in S3. A time that the clock jumps over is not fired at all, one that comes twice once (EventBridge
# Scheduler user guide, "Daylight savings time"), which is `nonexistent: skip` of the playbook.

variable "cluster_arn" {
  type        = string
  description = "The ECS cluster."
}

variable "task_definition_arn" {
  type        = string
  description = "A task definition whose container `orchestrate` has the program as its entry point, the playbooks in /etc/orchestrate, and ORCHESTRATE_STATE=s3://bucket/prefix."
}

variable "subnets" {
  type        = list(string)
  description = "Where the task runs."
}

variable "role_arn" {
  type        = string
  description = "A role that scheduler.amazonaws.com may assume, with ecs:RunTask on the definition and iam:PassRole on its roles."
}

variable "dead_letter_queue_arn" {
  type        = string
  description = "Where firings go that could not start a task; alarm on it."
}

resource "aws_scheduler_schedule" "nightly" {
  name                         = "orchestrate-nightly"
  schedule_expression          = "cron(15 2 * * ? *)"
  schedule_expression_timezone = "Europe/Paris"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.cluster_arn
    role_arn = var.role_arn

    ecs_parameters {
      task_definition_arn = var.task_definition_arn
      launch_type         = "FARGATE"

      network_configuration {
        subnets = var.subnets
      }
    }

    input = jsonencode({
      containerOverrides = [{
        name    = "orchestrate"
        command = ["run", "--yes", "--occurrence", "<aws.scheduler.scheduled-time>", "/etc/orchestrate/nightly.yaml"]
      }]
    })

    retry_policy {
      maximum_event_age_in_seconds = 21600
      maximum_retry_attempts       = 10
    }

    dead_letter_config {
      arn = var.dead_letter_queue_arn
    }
  }
}
