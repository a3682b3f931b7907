"""For Airflow: jobs that end around the time of their deferral, a hundred of each length."""

from chaos_jobs import dag, job

with dag("many_short"):
    for last in (0, 1, 2, 4, 5, 6):
        for number in range(100):
            job(f"short_{last}_{number}", last)
